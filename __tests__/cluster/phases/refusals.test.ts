import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { prepareJourney, type Journey } from '../../support/journey.js';
import { expectCode, terminal, type Ended } from '../../support/terminal.js';

/** A plan with a SQL file beside it: both are bound to what was rehearsed. */
const plan = `name: refusals
steps:
  - id: note
    sql: { file: note.sql, undo: note.undo.sql }
`;

let journey: Journey;
beforeAll(async () => {
  journey = await prepareJourney({
    plan,
    which: 'production',
    files: { 'note.sql': 'CREATE TABLE note (id int);\n', 'note.undo.sql': 'DROP TABLE note;\n' },
    allow: 'drop-table',
  });
}, 300_000);
afterAll(async () => {
  // undefined when the preparation failed
  await (journey as Journey | undefined)?.remove();
});

/** Everything in the database, ours too: a refusal leaves nothing behind. */
async function everything(url: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(journey.cluster.bin, 'pg_dump'), [url], { maxBuffer: 1 << 28 });
  return stdout
    .split('\n')
    .filter((line) => !/^\\(un)?restrict /.test(line))
    .join('\n');
}

interface Attempt {
  readonly phase?: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly plan?: string;
  readonly store?: string;
  readonly now?: string;
  /** changes something before the phase runs, in a fresh copy of production */
  readonly before?: (url: string) => Promise<void>;
}

let copies = 0;
async function refused(attempt: Attempt, code: string, words: RegExp): Promise<void> {
  copies += 1;
  const url = await journey.production(`refused_${String(copies)}`);
  await attempt.before?.(url);
  const before = await everything(url);
  const ended: Ended = await terminal(attempt.phase ?? 'migrate', {
    plan: attempt.plan ?? journey.plan,
    store: attempt.store ?? journey.store,
    inputs: { ...journey.inputs(url), allow: 'drop-table', ...attempt.inputs },
    ...(attempt.now === undefined ? {} : { now: attempt.now }),
  });
  expectCode(ended, 2);
  expect(ended.out).toContain(code);
  expect(ended.out).toMatch(words);
  expect(await everything(url)).toBe(before);
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** A copy of plan, files and store that a test may change. */
function copy(name: string): { plan: string; store: string; dir: string } {
  const dir = join(journey.dir, name);
  cpSync(journey.store, join(dir, 'store'), { recursive: true });
  for (const file of ['plan.yml', 'note.sql', 'note.undo.sql']) cpSync(join(journey.dir, file), join(dir, file));
  return { dir, plan: join(dir, 'plan.yml'), store: join(dir, 'store') };
}

describe('migrate refuses before anything changes', () => {
  test('schema-drifted: a column was added since the rehearsal', () =>
    refused({ before: (url) => sql(url, 'ALTER TABLE "bazaar-vid_metric" ADD COLUMN later int') }, 'schema-drifted', /has changed since the backup/));

  test('plan-changed: the plan is another one', async () => {
    const c = copy('changed-plan');
    writeFileSync(c.plan, plan.replace('name: refusals', 'name: other'));
    await refused({ plan: c.plan, store: c.store, inputs: { confirm: '' } }, 'plan-changed', /has changed since/);
  });

  test('plan-changed: a SQL file that the plan names is another one', async () => {
    const c = copy('changed-file');
    writeFileSync(join(c.dir, 'note.sql'), 'CREATE TABLE note (id bigint);\n');
    await refused({ plan: c.plan, store: c.store, inputs: { confirm: '' } }, 'plan-changed', /a file it names has changed since/);
  });

  test('evidence-missing: nothing was rehearsed', async () => {
    const store = join(journey.dir, 'empty-store');
    mkdirSync(store);
    await refused({ store }, 'evidence-missing', /Run phase rehearse first/);
  });

  test('evidence-missing: rehearsed, but nobody approved', async () => {
    const c = copy('unapproved');
    for (const file of readdirSync(c.store).filter((f) => f.includes('approval.json'))) rmSync(join(c.store, file));
    await refused({ plan: c.plan, store: c.store }, 'evidence-missing', /Run phase gate first/);
  });

  test('a rehearsal file that was changed in the store is not believed', async () => {
    const c = copy('tampered');
    const [name] = readdirSync(c.store).filter((f) => f.endsWith('.rehearsal.json'));
    writeFileSync(join(c.store, name!), readFileSync(join(c.store, name!), 'utf8').replace('"passed"', '"failed"'));
    await refused({ plan: c.plan, store: c.store }, 'was changed or cut', /Do not use this file/);
  });

  test('evidence-invalid: a file that is called rehearsal and is none', async () => {
    const c = copy('forged');
    const [name] = readdirSync(c.store).filter((f) => f.endsWith('.rehearsal.json'));
    const text = '{"kind":"other"}';
    writeFileSync(join(c.store, name!), text);
    writeFileSync(join(c.store, `${name!}.sha256`), `${createHash('sha256').update(text).digest('hex')}  ${name!}\n`);
    await refused({ plan: c.plan, store: c.store }, 'evidence-invalid', /Run rehearse again/);
  });

  test('allow-changed: other hazards are accepted than were rehearsed', () =>
    refused({ inputs: { allow: 'drop-table schema-changed' } }, 'allow-changed', /was made with allow "drop-table"/));

  test('max-lock-changed: another budget', () =>
    refused({ inputs: { 'max-lock': '2s' } }, 'max-lock-changed', /was made with max-lock 1000 ms, now it is 2000 ms/));

  test('approval-missing: the plan id was not typed', () => refused({ inputs: { confirm: '' } }, 'approval-missing', /no human gate/));

  test('confirm-mismatch: something else was typed', () =>
    refused({ inputs: { confirm: 'abcdefabcdef' } }, 'confirm-mismatch', new RegExp(`expected the plan id`)));

  test('backup-too-old: the proved backup is older than a day and the final one cannot be proved', () =>
    refused({ now: new Date(Date.now() + 26 * 3_600_000).toISOString() }, 'backup-too-old', /26 hours ago; expected at most 24/));

  test('run-active: another run holds the lock of the database', async () => {
    const holder: pg.Client[] = [];
    await refused(
      {
        before: async (url) => {
          const client = new pg.Client({ connectionString: url, application_name: 'lossless elsewhere' });
          await client.connect();
          await client.query('SELECT pg_advisory_lock(7811887669352329985)');
          holder.push(client);
        },
      },
      'run-active',
      /lossless elsewhere/,
    );
    await holder[0]?.end();
  });

  test('input-missing: an empty secret names itself and the secret to set', () =>
    refused({ inputs: { 'production-url': ' ' } }, 'production-url', /PROD_DATABASE_URL/));
});

describe('rollback and cleanup refuse what they cannot do', () => {
  test('run-not-found: an unknown run is not rolled back, and the open runs are named', () =>
    refused({ phase: 'rollback', inputs: { confirm: 'r00000000' } }, 'run-not-found', /no run "r00000000" in the journal/));

  test('run-not-found: an unknown run is not cleaned', () =>
    refused({ phase: 'cleanup', inputs: { confirm: 'r00000000' } }, 'run-not-found', /no run "r00000000"/));
});
