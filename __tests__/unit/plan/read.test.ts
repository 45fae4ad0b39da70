import { symlinkSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findingLine } from '../../../src/plan/files.js';
import type { KindReading } from '../../../src/plan/plan.js';
import { planFromFiles, PlanRefused, readPlan, readPlanFile } from '../../../src/plan/read.js';
import { folder, planIn, refusal, testKinds } from '../../support/plan.js';

const plan = (rest: string): string => `name: x\n${rest}`;
const oneStep = 'steps: [{ id: a, touch: { tables: [t] } }]\n';

describe('a plan that can be used', () => {
  test('gets the defaults of the contract', async () => {
    const read = await planIn({ 'plan.yml': plan(oneStep) });
    expect(read).toMatchObject({
      name: 'x',
      file: 'plan.yml',
      retentionMs: 7 * 86_400_000,
      maxLockMs: 1000,
      schemas: ['public'],
      strict: false,
      recycleConnections: false,
      maintenance: null,
      deploy: null,
      findings: [],
    });
    expect(read.verify).toEqual({ test: null, queries: [], workload: [] });
    expect(read.watch).toEqual({ health: null, queries: [] });
    expect(read.steps).toEqual([
      { id: 'a', kind: 'touch', on: 'production', spec: { tables: ['t'], unfit: 'fail' }, at: { file: 'plan.yml', line: 2, column: 9 } },
    ]);
  });

  test('may use every key of the contract', async () => {
    const read = await planIn({
      'plan.yml': plan(`retention: 36h
max-lock: 500ms
schemas: [public, audit]
strict: true
recycle-connections: true
maintenance: { on: ./ops on, off: ./ops off }
steps: [{ id: a, on: development, touch: { tables: [t] } }]
verify:
  test: npm test
  queries: [{ name: q, sql: SELECT 1, expect: 1 }]
  workload: [{ name: w, sql: SELECT 2, max-ratio: 1.5 }, { name: v, sql: SELECT 3 }]
watch: { health: https://example.org/up, queries: [{ name: q, sql: SELECT 1, expect: '1' }] }
deploy: { run: ./ops deploy, undo: none }
`),
      ops: '#!/bin/sh\n',
    });
    expect(read).toMatchObject({
      retentionMs: 129_600_000,
      maxLockMs: 500,
      schemas: ['public', 'audit'],
      strict: true,
      recycleConnections: true,
      maintenance: { on: './ops on', off: './ops off' },
      deploy: { run: './ops deploy', undo: null },
    });
    expect(read.verify.workload).toEqual([
      { name: 'w', sql: 'SELECT 2', maxRatio: 1.5 },
      { name: 'v', sql: 'SELECT 3', maxRatio: 1.2 },
    ]);
    expect(read.steps[0]?.on).toBe('development');
    expect(read.files.names).toEqual(['ops']);
  });

  test('keeps the text of what a query must answer as it was written', async () => {
    const expects = ['0', '1.10', '12345678901234567890', 'true', "'01'", 'null', '[[a, 1.50, null], [b, 007, ~]]', '[]'];
    const read = await planIn({
      'plan.yml': plan(`${oneStep}verify: { queries: [${expects.map((e, i) => `{ name: q${String(i)}, sql: s, expect: ${e} }`).join(', ')}] }`),
    });
    expect(read.verify.queries.map((q) => q.expect)).toEqual([
      '0',
      '1.10',
      '12345678901234567890',
      'true',
      '01',
      [[null]],
      [
        ['a', '1.50', null],
        ['b', '007', null],
      ],
      [],
    ]);
  });

  test('may use anchors and aliases', async () => {
    const read = await planIn({
      'plan.yml': plan('steps:\n  - { id: a, touch: { tables: &t [t] } }\n  - { id: b, on: development, touch: { tables: *t } }\n'),
    });
    expect(read.steps.map((step) => step.spec)).toEqual([
      { tables: ['t'], unfit: 'fail' },
      { tables: ['t'], unfit: 'fail' },
    ]);
  });

  test('reads on and off as text, as YAML 1.2 does', async () => {
    expect((await planIn({ 'plan.yml': plan(`${oneStep}maintenance: { on: yes, off: no }`) })).maintenance).toEqual({ on: 'yes', off: 'no' });
  });

  test('brings the files it names: single ones, whole folders, and those that commands name', async () => {
    const read = await planIn(
      {
        'db/plan.yml': plan(`maintenance: { on: ../scripts/m on, off: "sh -c '../scripts/m off && cat notes.txt'" }
steps: [{ id: a, script: { file: drizzle } }, { id: b, shell: { run: FILE=x.env psql -f="more.sql" } }]`),
        'db/drizzle/0000.sql': 'SELECT 1',
        'db/drizzle/meta/_journal.json': '{}',
        'db/more.sql': 'SELECT 2',
        'db/notes.txt': 'n',
        'db/unnamed.sql': 'SELECT 3',
        'scripts/m': '#!/bin/sh\n',
      },
      'db/plan.yml',
    );
    expect(read.files.names).toEqual(['../scripts/m', 'drizzle/0000.sql', 'drizzle/meta/_journal.json', 'more.sql', 'notes.txt']);
    expect(read.files.text('./more.sql')).toBe('SELECT 2');
    expect(() => read.files.text('unnamed.sql')).toThrow('the plan does not name this file');
  });

  test('brings package.json and the files of its scripts when a command runs one', async () => {
    const scripts = { premigrate: 'node check.mjs', migrate: 'npm run inner', inner: 'node inner.mjs', other: 'node other.mjs' };
    const files = { 'package.json': JSON.stringify({ scripts }), 'db/check.mjs': '', 'db/inner.mjs': '', 'db/other.mjs': '' };
    const read = await planIn({ ...files, 'db/plan.yml': plan('steps: [{ id: a, shell: { run: npm run migrate } }]') }, 'db/plan.yml');
    expect(read.files.names).toEqual(['../package.json', 'check.mjs', 'inner.mjs']);
  });

  test('looks for the files of commands in the working directory', async () => {
    const root = folder({ 'db/plan.yml': plan('steps: [{ id: a, shell: { run: ./ops/go } }]'), 'app/ops/go': 'x' });
    const { plan: read } = await readPlan({ file: 'db/plan.yml', root, kinds: testKinds, workingDirectory: 'app' });
    expect(read.files.names).toEqual(['../app/ops/go']);
    await expect(readPlan({ file: 'db/plan.yml', root, kinds: testKinds })).rejects.toThrow('the program "./ops/go" does not exist');
  });

  test('hands out what its kinds remark, with step and place', async () => {
    const read = await planIn({ 'plan.yml': plan('steps:\n  - id: a\n    script: { file: a.sql }\n'), 'a.sql': 'DROP TABLE t' });
    expect(read.findings.map(findingLine)).toEqual(['plan.yml:4:21: plan-invalid: step "a": drops']);
  });

  test('places what is found in its files in the repository, not beside the plan', async () => {
    const remarks: KindReading = {
      files: () => ['a.sql'],
      commands: () => [],
      check: () => Promise.resolve([{ code: 'drop-table', severity: 'block', message: 'drops', at: { file: 'a.sql', line: 3 } }]),
    };
    const script = testKinds['script']!;
    const read = await planIn({ 'db/plan.yml': plan('steps: [{ id: a, script: { file: a.sql } }]'), 'db/a.sql': '' }, 'db/plan.yml', {
      script: { ...script, reading: remarks },
    });
    expect(read.findings.map(findingLine)).toEqual(['db/a.sql:3: drop-table: step "a": drops']);
  });

  test('is read from its path, in the repository around it', async () => {
    const root = folder({ '.git/HEAD': '', 'db/plan.yml': plan('steps: [{ id: a, script: { file: ../a.sql } }]'), 'a.sql': 'SELECT 1' });
    expect((await readPlanFile(join(root, 'db/plan.yml'), testKinds)).files.names).toEqual(['../a.sql']);
  });
});

describe('a plan read back from the journal', () => {
  const files = { 'plan.yml': plan('steps: [{ id: a, script: { file: sql } }]'), 'sql/a.sql': 'SELECT 1' };

  test('is the same plan, without its folder', async () => {
    const read = await planIn(files);
    const again = await planFromFiles(read.source, read.file, new Map(read.files.names.map((name) => [name, read.files.bytes(name)])), testKinds);
    expect({ ...again, dir: '', files: null }).toEqual({ ...read, dir: '', files: null });
    expect(again.digest).toBe(read.digest);
  });

  test('is refused when a file was not stored', async () => {
    const read = await planIn(files);
    await expect(planFromFiles(read.source, read.file, new Map(), testKinds)).rejects.toThrow('"sql" is not among the stored files');
  });
});

describe('a plan that cannot be used', () => {
  test('is refused with every fault at once, in the order of the file', async () => {
    const lines = await refusal({
      'plan.yml': `name: x
retenton: 7d
max-lock: 5
schemas: public
databases: [a, b]
steps:
  - id: a
    on: prod
    touch: { tables: [t], unfits: fail }
  - id: a
    touch:
      tables: []
      unfit: quarantin
      columns:
        id: { typ: uuid }
    script: { file: ../../x.sql }
  - touch: { tables: 3 }
  - id: b
  - id: c
    tuch: { tables: [t] }
  - id: d
    script: { file: /etc/passwd }
  - id: e
    script: { file: nope.sql }
verify:
  queries: [{ name: n, sql: select 1 }]
`,
    });
    expect(lines.map((line) => line.replace(/ HINT: .*/, ''))).toEqual([
      'plan.yml:2:1: plan-unknown-key: unknown key "retenton"',
      'plan.yml:3:11: plan-invalid: max-lock: found 5, expected a duration such as 1s',
      'plan.yml:4:10: plan-invalid: schemas: found "public", expected a list',
      'plan.yml:5:1: plan-reserved-key: "databases" is kept free for later: one plan over many databases',
      'plan.yml:8:9: plan-invalid: step "a": on: found "prod", expected production or development',
      'plan.yml:9:27: plan-unknown-key: step "a": unknown key "unfits"',
      'plan.yml:10:9: plan-duplicate-step: two steps have the id "a"',
      'plan.yml:12:7: plan-invalid: step "a": tables: found an empty list, expected at least 1 entry',
      'plan.yml:13:14: plan-invalid: step "a": unfit: found "quarantin", expected fail or quarantine',
      'plan.yml:15:9: plan-missing-key: step "a": columns.id.type: is missing, expected text',
      'plan.yml:15:15: plan-unknown-key: step "a": columns.id: unknown key "typ"',
      'plan.yml:16:5: plan-step-kind: step "a": the step has 2 kinds: touch, script',
      'plan.yml:17:5: plan-missing-key: step 3 has no id',
      'plan.yml:17:22: plan-invalid: tables: found 3, expected a list',
      'plan.yml:18:5: plan-step-kind: step "b": the step has no kind',
      'plan.yml:20:5: plan-unknown-key: step "c": unknown kind "tuch"',
      'plan.yml:22:21: plan-path-outside: step "d": "/etc/passwd" is an absolute path',
      'plan.yml:24:21: plan-file-missing: step "e": "nope.sql" does not exist',
      'plan.yml:26:13: plan-missing-key: verify.queries[0].expect: is missing, expected text, a number, true or false, nothing or a list',
    ]);
  });

  test('is a user error whose message lists places, codes and hints', async () => {
    const error: unknown = await planIn({ 'plan.yml': 'name: x\nstep: []\n' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PlanRefused);
    expect((error as PlanRefused).fault).toBe('user');
    expect((error as PlanRefused).message).toContain(
      'the plan has 2 faults:\n- plan.yml:1:1: plan-missing-key: steps: is missing, expected a list HINT: Add "steps:" here.\n- plan.yml:2:1: plan-unknown-key',
    );
    expect((error as PlanRefused).more.at).toEqual({ file: 'plan.yml', line: 1, column: 1 });
  });

  test.each([
    ['', 'plan.yml:1:1: plan-invalid: the file is empty'],
    ['# only a comment\n', 'plan.yml:1:1: plan-invalid: the file is empty'],
    ['- a\n', 'plan.yml:1:1: plan-invalid: found a list, expected a map'],
    ['word\n', 'plan.yml:1:1: plan-invalid: found a single value, expected a map'],
    [plan('steps: []\n'), 'plan.yml:2:1: plan-invalid: steps: found an empty list, expected at least one step'],
    [plan('steps:\n'), 'plan.yml:2:1: plan-invalid: steps: found nothing, expected a list'],
    [plan('steps: [word]\n'), 'plan.yml:2:9: plan-step-kind: step 1 is not a map'],
    [plan('name: y\n'), 'plan.yml:2:1: plan-duplicate-key: this key is written twice in the same map'],
    ['name: x\n\tsteps: 1\n', 'plan.yml:2:1: plan-syntax: not valid YAML: tabs are not allowed as indentation'],
    ['name: x\n---\nname: y\n', 'plan.yml:2:1: plan-syntax: found a second document, expected one plan in the file'],
    [plan('1: x\n'), 'plan.yml:2:1: plan-syntax: found 1 as a key, expected text'],
    [plan('a: !secret x\n'), 'plan.yml:2:4: plan-syntax: not valid YAML: unresolved tag: !secret'],
    [plan(`${oneStep}retention: 7\n`), 'plan.yml:3:12: plan-invalid: retention: found 7, expected a duration such as 7d'],
    [plan(`${oneStep}retention: 2y\n`), 'plan.yml:3:12: plan-invalid: retention: found "2y", expected a duration from 1m to 365d such as 7d'],
    [plan(`${oneStep}schemas: [lossless_old_r1]\n`), 'plan.yml:3:11: plan-invalid: schemas[0]: schema "lossless_old_r1" is not the plan\'s to touch'],
    [plan(`${oneStep}maintenance: { on: x }\n`), 'plan.yml:3:1: plan-missing-key: maintenance.off: is missing, expected text'],
    [plan(`${oneStep}watch: { health: ftp://x }\n`), 'plan.yml:3:18: plan-invalid: watch.health: expected an http or https URL'],
    [
      plan(`${oneStep}verify: { queries: [{ name: q, sql: s, expect: [a, b] }] }\n`),
      'plan.yml:3:40: plan-invalid: verify.queries[0].expect: expected a scalar, or rows such as [[a, 1], [b, 2]]',
    ],
    [plan('steps: [{ id: 7, touch: { tables: [t] } }]\n'), 'plan.yml:2:15: plan-invalid: id: found 7, expected text'],
    [
      plan('steps: [{ id: "A b", touch: { tables: [t] } }]\n'),
      'plan.yml:2:15: plan-invalid: id: found "A b", expected at most 48 lower-case letters, digits, "-" and "_"',
    ],
    [plan('steps: [{ id: a, touch: { tables: [t] }, onn: production }]\n'), 'plan.yml:2:42: plan-unknown-key: step "a": unknown key "onn"'],
    [
      plan('steps: [{ id: a, touch: { tables: [t] } }, { id: b, touch: { tables: [u, t] } }]\n'),
      'plan.yml:2:44: plan-steps-overlap: step "b": meets step "a": both touch public.t',
    ],
  ])('%j', async (text, expected) => {
    const lines = await refusal({ 'plan.yml': text });
    expect(lines[0]?.replace(/ HINT: .*/, '')).toBe(expected);
    expect(lines.every((line) => line.includes(' HINT: '))).toBe(true);
  });

  test('is refused when it does not exist, is a folder, is not UTF-8 or lies outside the repository', async () => {
    expect(await refusal({}, 'plan.yml')).toEqual([expect.stringMatching(/^plan\.yml: plan-not-found: /)]);
    expect(await refusal({ 'plan.yml/x': '' })).toEqual([expect.stringMatching(/plan-not-found/)]);
    expect(await refusal({ 'plan.yml': Uint8Array.from([0x6e, 0xff, 0xfe]) })).toEqual([
      expect.stringMatching(/plan-syntax: the plan file is not valid UTF-8/),
    ]);
    const outside = folder({ 'plan.yml': plan(oneStep) });
    expect(await refusal({}, join(outside, 'plan.yml'))).toEqual([expect.stringMatching(/plan-path-outside: the plan file is outside the repository/)]);
  });

  test('is refused when a path is absolute, leaves the repository, is an empty folder, or is a link out of it', async () => {
    const outside = folder({ 'secret.sql': 'SELECT 1' });
    const root = folder({
      'db/plan.yml': plan(`steps:
  - { id: a, script: { file: ${outside}/secret.sql } }
  - { id: b, script: { file: ../../secret.sql } }
  - { id: c, script: { file: link.sql } }
  - { id: d, script: { file: folder } }
  - { id: e, script: { file: empty } }
`),
      'db/folder/a.sql': '',
      'db/empty/.keep/x': '',
    });
    symlinkSync(join(outside, 'secret.sql'), join(root, 'db/link.sql'));
    symlinkSync(outside, join(root, 'db/folder/out'));
    const error = await readPlan({ file: 'db/plan.yml', root, kinds: testKinds }).catch((thrown: unknown) => thrown);
    expect((error as PlanRefused).findings.map((f) => `${f.step ?? ''} ${f.code}: ${f.message.replace(outside, 'OUT')}`)).toEqual([
      'a plan-path-outside: "OUT/secret.sql" is an absolute path',
      'b plan-path-outside: "../../secret.sql" leaves the repository',
      'c plan-path-outside: "link.sql" is a link that leads out of the repository',
      'd plan-path-outside: "folder" holds a link that leads out of the repository: db/folder/out',
    ]);
  });

  test('is refused when a path brings more than the journal should keep, or is neither a file nor a folder', async () => {
    const root = folder({ 'plan.yml': plan('steps: [{ id: a, script: { file: dump } }, { id: b, script: { file: socket } }]'), 'dump/large.bin': '' });
    truncateSync(join(root, 'dump/large.bin'), 65 * 1024 * 1024);
    const server = createServer().listen(join(root, 'socket'));
    const error = await readPlan({ file: 'plan.yml', root, kinds: testKinds }).catch((thrown: unknown) => thrown);
    server.close();
    expect((error as PlanRefused).findings.map((f) => [f.step, f.code, f.message])).toEqual([
      ['a', 'plan-file-unusable', '"dump" brings more than 5000 files or 64 MiB'],
      ['b', 'plan-file-unusable', '"socket" is neither a file nor a folder'],
    ]);
  });
});
