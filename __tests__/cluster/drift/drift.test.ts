import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { Finding } from '../../../src/finding.js';
import { directoryStore } from '../../../src/host/store/directory.js';
import { inputNames, parseSettings, type Inputs } from '../../../src/inputs.js';
import { parseTarget, type Target } from '../../../src/pg/connect.js';
import { connect, type Db } from '../../../src/pg/db.js';
import { drift } from '../../../src/phases/drift.js';
import type { PhaseContext, PhaseResult } from '../../../src/phases/phase.js';
import type { Plan } from '../../../src/plan/plan.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { development, production } from './databases.js';

let cluster: Cluster;
let scratch: string;
let round = 0;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  scratch = mkdtempSync(join(tmpdir(), 'lossless-drift-'));
  for (const [name, ddl] of Object.entries({ production, development })) {
    await cluster.create(name);
    await runAs('app', name, ddl);
    await runAs('app', name, 'ANALYZE');
  }
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await cluster.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const runAs = (role: string, database: string, sql: string): Promise<unknown> => cluster.admin(`SET ROLE ${role}; ${sql}`, database);

interface Ran {
  readonly result: PhaseResult;
  readonly draft: string | null;
}

async function compare(urls: { readonly production?: string; readonly development?: string }, plan: Plan | null = null): Promise<Ran> {
  round += 1;
  const signal = new AbortController().signal;
  const clock = { now: () => new Date('2026-01-05T12:00:00Z'), sleep: (ms: number) => sleep(ms) };
  const store = directoryStore(join(scratch, `store${String(round)}`));
  const target = (role: 'production' | 'development'): Target | null => {
    const url = urls[role];
    return url === undefined ? null : parseTarget(url, role, `${role}-url`, '');
  };
  const inputs = Object.fromEntries(inputNames.map((name) => [name, name === 'retention-days' ? '30' : ''])) as Inputs;
  const cx: PhaseContext = {
    plan,
    inputs,
    settings: parseSettings(inputs),
    invocation: { actor: 'test', commit: '', run: '20260105120000', attempt: '1', url: '', repository: '', scheduled: false },
    exec: () => Promise.reject(new Error('drift starts no processes')),
    clock,
    report: () => undefined,
    signal,
    github: null,
    host: 'terminal',
    scratch,
    toolVersion: 'test',
    targets: { production: target('production'), development: target('development'), staging: null },
    async open(to, kind): Promise<Db> {
      const { db, close } = await connect(to, kind, { report: () => undefined, signal, clock, name: 'lossless drift' });
      closing.push(close);
      return db;
    },
    store: () => Promise.resolve(store),
    mask: () => undefined,
  };
  const result = await drift.run(cx);
  const dir = join(scratch, `store${String(round)}`);
  const name = readdirSync(scratch).includes(`store${String(round)}`) ? readdirSync(dir).find((f) => f.endsWith('.plan-draft.yml')) : undefined;
  return { result, draft: name === undefined ? null : readFileSync(join(dir, name), 'utf8') };
}

const said = (result: PhaseResult, code: Finding['code']): readonly string[] => result.findings.filter((f) => f.code === code).map((f) => f.message);
const section = (result: PhaseResult, title: string): readonly string[] =>
  (result.sections?.find((s) => s.title === title)?.rows ?? []).map((r) => r.join(' | '));
const withDrizzle = { schemas: ['public'], steps: [{ kind: 'drizzle' }] } as unknown as Plan;

describe('two databases that grew apart', () => {
  let ran: Ran;
  beforeAll(async () => {
    ran = await compare({ production: cluster.url('production'), development: cluster.url('development') });
  });

  test('passes, says that they differ, and fingerprints production', () => {
    expect(ran.result.outcome).toBe('passed');
    expect(ran.result.outputs?.['drift-detected']).toBe('true');
    expect(ran.result.outputs?.['schema-fingerprint']).toMatch(/^[0-9a-f]{64}$/);
  });

  test('names every column whose type differs, and counts the values that do not fit', () => {
    expect(section(ran.result, 'Column types that differ')).toEqual([
      'public.shop-app_exports | id | text | uuid | 0',
      'public.shop-app_exports | project_id | text | uuid | 0',
      'public.shop-app_exports | user_id | text | character varying(255) | 0',
    ]);
  });

  test('names tables, columns, keys, indexes, functions, types and schemas that one side lacks', () => {
    const objects = section(ran.result, 'Objects that differ');
    for (const part of [
      'table | public.shop-app_promo_codes | absent',
      'table | public.shop-app_scene_plan | present | absent',
      'column | public.shop-app_project.archived | absent | boolean',
      'constraint | public.shop-app_exports.exports_project_fk | absent | FOREIGN KEY',
      'constraint | public.shop-app_scene.scene_has_data | CHECK',
      'index | public.shop-app_exports.exports_user_idx | absent',
      'function | public.show_db_tree() | function | absent',
      "type: labels | public.mood | 'good', 'bad' | 'good', 'bad', 'strange'",
    ]) {
      expect(objects.join('\n')).toContain(part);
    }
    expect(section(ran.result, 'Schemas that one side lacks')).toEqual([
      'auth | absent | 0 tables, 0 views, 1 function',
      'neon_auth | absent | 1 table, 0 views, 0 functions',
    ]);
  });

  test('does not list the columns and keys of a table that is missing as a whole', () => {
    expect(section(ran.result, 'Objects that differ').filter((row) => row.includes('promo_codes') || row.includes('scene_plan'))).toHaveLength(2);
  });

  test('finds the table that exists twice, with its rows and the keys in both', () => {
    expect(section(ran.result, 'Duplicate-looking tables')).toEqual([
      'production | public.api_usage_metric | 7 | public.shop-app_api_usage_metric | 10 | 70 % | 3',
    ]);
  });

  test('counts the rows without a parent for keys that only development declares and for keys that only a name implies', () => {
    const rows = section(ran.result, 'Rows without a parent');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatch(
      /^production \| public\.shop-app_exports\(project_id\) \| public\.shop-app_project\(id\) \| only in the other database \| 2 \| [0-9a-f-]{36} [0-9a-f-]{36}$/,
    );
  });

  test('takes order of columns, comments and names of indexes as notes only', () => {
    expect([...said(ran.result, 'drift-layout')].sort()).toEqual([
      'index user_email_idx of public.shop-app_user is called user_by_email in development; they are otherwise the same',
      'public.shop-app_exports: columns in another order; 1 comment differs',
    ]);
    expect(ran.result.findings.filter((f) => f.code === 'drift-layout').every((f) => f.severity === 'note')).toBe(true);
  });

  test('lists the empty tables and the constraint that was never validated', () => {
    expect(said(ran.result, 'drift-unused-tables')[0]).toBe('production: 2 empty tables: public.shop-app_patch, public.shop-app_scene_plan');
    expect(said(ran.result, 'drift-not-validated')).toEqual(['production: check scene_has_data of public.shop-app_scene is not validated']);
  });

  test('gives a verdict for the types, the duplicates and the foreign keys', () => {
    expect(ran.result.checks?.filter((c) => c.verdict === 'fail').map((c) => `${c.criterion}: ${c.name}: ${c.actual}`)).toEqual([
      'types: column types of production: 3 columns of 1 table differ',
      'types: columns of production that name keys: 1 column of another type',
      'duplicates: duplicate-looking tables of production: 1',
      'foreign-keys: foreign keys that development has: 2 keys missing',
      'foreign-keys: rows of production without a parent: 2 rows in 1 reference',
      'other: tables, columns, keys, indexes, functions, schemas: 14 differences',
    ]);
  });

  test('says what was not compared', () => {
    expect(ran.result.notCompared?.join('\n')).toContain('owners, grants');
  });

  test('never prints a value that is neither a name, a key nor a count', () => {
    expect(JSON.stringify(ran.result)).not.toContain('@example.com');
  });

  test('drafts a plan whose steps do the work, with the reasons beside them', () => {
    const plan = parse(ran.draft ?? '') as { steps: Record<string, unknown>[] };
    expect(plan.steps).toEqual([
      {
        id: 'analytics-exports-types',
        'rebuild-tables': {
          'shop-app_export_analytics': { columns: { export_id: { type: 'uuid' } } },
          'shop-app_exports': {
            columns: { id: { type: 'uuid', default: 'gen_random_uuid()' }, project_id: { type: 'uuid' }, user_id: { type: 'character varying(255)' } },
            indexes: { exports_user_idx: { columns: ['user_id'] } },
            'foreign-keys': {
              exports_project_fk: { columns: ['project_id'], references: 'shop-app_project(id)', 'on-delete': 'cascade' },
              exports_user_fk: { columns: ['user_id'], references: 'shop-app_user(id)', 'on-delete': 'cascade' },
            },
            unfit: 'quarantine',
          },
        },
      },
      { id: 'dev-analytics-types', on: 'development', 'rebuild-tables': { 'shop-app_export_analytics': { columns: { export_id: { type: 'uuid' } } } } },
      {
        id: 'merge-api-usage-metric',
        'merge-table': {
          from: 'api_usage_metric',
          into: 'shop-app_api_usage_metric',
          key: ['id'],
          columns: {
            user_id: '"userId"',
            project_id: '"projectId"',
            response_time_ms: '"responseTime"',
            total_tokens: '"tokenCount"',
            error_message: '"errorType"',
          },
          conflicts: 'fail',
        },
      },
      { id: 'unused-tables', 'retire-tables': { tables: ['shop-app_patch', 'shop-app_scene_plan'], 'only-if': 'empty' } },
      { id: 'legacy-tables', 'inspect-tables': ['shop-app_project_memory'] },
      { id: 'extra-schemas', on: 'development', 'retire-schemas': ['auth', 'neon_auth'] },
    ]);
    expect(ran.draft).toContain('# 2 rows of project_id name no row of public.shop-app_project');
    expect(ran.draft).toContain('Only guessed, check each: errorType → error_message, responseTime → response_time_ms, tokenCount → total_tokens.');
    expect(ran.draft).toContain('# - function public.show_db_tree(): production function; development absent');
    expect(ran.draft).toContain('# - public.shop-app_promo_codes: only development has this table');
  });
});

test('finds nothing between equal databases, and drafts nothing', async () => {
  await cluster.create('twin-a', 'development');
  await cluster.create('twin-b', 'twin-a');
  for (const name of ['twin-a', 'twin-b'])
    await runAs(
      'app',
      name,
      `ALTER TABLE public."shop-app_export_analytics" ALTER export_id TYPE uuid USING export_id::uuid;
       DROP TABLE public."shop-app_patch";
       INSERT INTO public."shop-app_promo_codes" VALUES (gen_random_uuid());
       INSERT INTO public.api_usage_metric (id) VALUES (1);
       INSERT INTO public."shop-app_exports" (project_id, user_id) SELECT id, "userId" FROM public."shop-app_project" LIMIT 1;
       INSERT INTO public."shop-app_export_analytics" (export_id) SELECT id FROM public."shop-app_exports"`,
    );
  const { result, draft } = await compare({ production: cluster.url('twin-a'), development: cluster.url('twin-b') });
  expect(result.outputs?.['drift-detected']).toBe('false');
  expect(result.findings.filter((f) => f.severity !== 'note')).toEqual([]);
  expect(result.checks?.every((c) => c.verdict === 'pass')).toBe(true);
  expect(draft).toBeNull();
});

test('changes nothing on either side: the dumps are the same before and after', async () => {
  const dump = (name: string): string =>
    execFileSync(join(cluster.bin, 'pg_dump'), ['-h', cluster.socket, '-p', String(cluster.port), '-U', 'postgres', name], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
      .split('\n')
      .filter((line) => !/^\\(un)?restrict /.test(line))
      .join('\n');
  const before = ['production', 'development'].map(dump);
  await compare({ production: cluster.url('production'), development: cluster.url('development') });
  expect(['production', 'development'].map(dump)).toEqual(before);
});

test('warns when both URLs lead to one database, whatever they look like', async () => {
  const { result } = await compare({ production: cluster.url('production'), development: `postgres://app@127.0.0.1:${String(cluster.port)}/production` });
  expect(said(result, 'drift-same-database')).toHaveLength(1);
  expect(result.outputs?.['drift-detected']).toBe('false');
});

test('refuses a role that may not read every table, naming the tables', async () => {
  await cluster.admin('CREATE ROLE poor LOGIN');
  await cluster.admin('GRANT SELECT ON public."shop-app_user" TO poor', 'production');
  const { result, draft } = await compare({ production: cluster.url('production', 'poor'), development: cluster.url('development') });
  expect(result.outcome).toBe('refused');
  expect(result.findings.map((f) => f.code)).toEqual(Array<string>(result.findings.length).fill('table-not-readable'));
  expect(result.findings.map((f) => f.object)).toContain('public.shop-app_exports');
  expect(result.findings.map((f) => f.object)).not.toContain('public.shop-app_user');
  expect(draft).toBeNull();
});

test('a role that may only read is enough', async () => {
  await cluster.admin('CREATE ROLE reading LOGIN; GRANT pg_read_all_data TO reading');
  const { result } = await compare({ production: cluster.url('production', 'reading'), development: cluster.url('development', 'reading') });
  expect(result.outcome).toBe('passed');
});

test('refuses a schema that neither side has', async () => {
  const plan = { schemas: ['shop'], steps: [] } as unknown as Plan;
  const { result } = await compare({ production: cluster.url('production'), development: cluster.url('development') }, plan);
  expect(result).toMatchObject({ outcome: 'refused', findings: [{ code: 'table-not-found', object: 'shop' }] });
});

test('without development-url names the secret to set; with a drizzle step says that this comparison comes later', async () => {
  const plain = await compare({ production: cluster.url('production') });
  expect(plain.result).toMatchObject({ outcome: 'refused', findings: [{ code: 'input-missing', object: 'development-url' }] });
  expect(plain.result.findings[0]?.hint).toContain('DEV_DATABASE_URL');
  const later = await compare({ production: cluster.url('production') }, withDrizzle);
  expect(later.result).toMatchObject({ outcome: 'refused', findings: [{ code: 'drift-drizzle-later' }] });
  expect(drift.needs(null)).toContain('development-url');
  expect(drift.needs(withDrizzle)).toEqual(['production-url']);
});

test('counts the values that do not fit the wanted type, and quarantines them in the draft', async () => {
  await cluster.create('unfit');
  await runAs(
    'app',
    'unfit',
    `CREATE TABLE public.item (id text PRIMARY KEY, n text, short text); INSERT INTO public.item SELECT CASE WHEN i < 4 THEN 'item_' || i ELSE md5(i::text)::uuid::text END, CASE i WHEN 9 THEN 'x' ELSE ' 7 ' END, repeat('y', i) FROM generate_series(1, 10) i`,
  );
  await cluster.create('wanted');
  await runAs('app', 'wanted', 'CREATE TABLE public.item (id uuid PRIMARY KEY, n integer, short varchar(8))');
  const { result, draft } = await compare({ production: cluster.url('unfit'), development: cluster.url('wanted') });
  expect(said(result, 'drift-unfit-values')).toEqual([
    'production: 3 values of public.item.id do not fit uuid',
    'production: 1 value of public.item.n do not fit integer',
    'production: 2 values of public.item.short do not fit character varying(8)',
  ]);
  expect(parse(draft ?? '')).toMatchObject({ steps: [{ 'rebuild-tables': { item: { unfit: 'quarantine' } } }] });
});

test('names with quotes, dots, spaces and line ends are compared and counted like any other', async () => {
  const odd = '"Sp ace.d ""t"" \n x"';
  for (const [name, type] of [
    ['odd-a', 'text'],
    ['odd-b', 'uuid'],
  ] as const) {
    await cluster.create(name);
    await runAs(
      'app',
      name,
      `CREATE TABLE public.${odd} ("i d" ${type} PRIMARY KEY, "p.id" ${type} REFERENCES public.${odd}); INSERT INTO public.${odd} SELECT md5(i::text)::uuid::${type} FROM generate_series(1, 3) i`,
    );
  }
  const { result, draft } = await compare({ production: cluster.url('odd-a'), development: cluster.url('odd-b') });
  expect(section(result, 'Column types that differ').map((row) => row.split(' | ').slice(1).join(' '))).toEqual(['i d text uuid 0', 'p.id text uuid 0']);
  // a plan cannot name a table with a dot as a key, so none is proposed
  expect(draft).toBeNull();
});

test('lists tables that nobody uses once the statistics know enough, and proposes to inspect them', async () => {
  for (const name of ['used', 'used-too']) {
    await cluster.create(name);
    await runAs(
      'app',
      name,
      'CREATE TABLE public.alive (id int PRIMARY KEY, n int); CREATE TABLE public.busy (id int PRIMARY KEY, n int); CREATE TABLE public.dusty (id int PRIMARY KEY); INSERT INTO public.alive SELECT i, 0 FROM generate_series(1, 9) i; INSERT INTO public.busy VALUES (1, 1); INSERT INTO public.dusty VALUES (1)',
    );
    await runAs('app', name, 'UPDATE public.alive SET n = 1; DELETE FROM public.busy; INSERT INTO public.busy VALUES (2, 2)');
  }
  const { result, draft } = await compare({ production: cluster.url('used'), development: cluster.url('used-too') });
  expect(result.outputs?.['drift-detected']).toBe('false');
  expect(said(result, 'drift-unused-tables')[0]).toContain('production: 1 table with rows but no index scan, update or delete');
  expect(parse(draft ?? '')).toMatchObject({ steps: [{ id: 'legacy-tables', 'inspect-tables': ['dusty'] }] });
});

test('compares four hundred tables on both sides in under three seconds, or on a busy machine in twice the time of pg_dump -s of both', async () => {
  await cluster.create('many');
  await runAs(
    'app',
    'many',
    `DO $$ BEGIN FOR i IN 1..400 LOOP
       EXECUTE format('CREATE TABLE public.app_t%s (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, t%s_id uuid %s, created_at timestamptz DEFAULT now())', i, greatest(i - 1, 1), CASE WHEN i > 1 THEN format('REFERENCES public.app_t%s', i - 1) END);
       EXECUTE format('CREATE INDEX ON public.app_t%s (name)', i);
     END LOOP; END $$`,
  );
  await cluster.create('many-too', 'many');
  await runAs('app', 'many-too', 'ALTER TABLE public.app_t7 ALTER name TYPE varchar(20)');
  const timed = async (work: () => unknown): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const dumpMs = await timed(() =>
    ['many', 'many-too'].map((name) =>
      execFileSync(join(cluster.bin, 'pg_dump'), ['-s', '-h', cluster.socket, '-p', String(cluster.port), '-U', 'postgres', name], { maxBuffer: 1 << 26 }),
    ),
  );
  let result: PhaseResult | undefined;
  const ms = await timed(async () => ({ result } = await compare({ production: cluster.url('many'), development: cluster.url('many-too') })));
  expect(ms).toBeLessThan(Math.max(3000, 2 * dumpMs));
  if (result === undefined) throw new Error('no result');
  expect(said(result, 'drift-types')).toHaveLength(1);
});
