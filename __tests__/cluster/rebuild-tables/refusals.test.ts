import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { FindingCode } from '../../../src/finding-codes.js';
import { rebuildSpec } from '../../../src/steps/rebuild-tables/spec.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { stepContext, type TestContext } from '../../support/step-context.js';
import { connectTo } from './fixture.js';

let cluster: Cluster;
let app: pg.Client;
let cx: TestContext;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.admin('CREATE ROLE other');
  const url = await cluster.create('refusals');
  app = await connectTo(url);
  cx = await stepContext(url);
});
afterAll(async () => {
  await cx.close();
  await app.end();
  await cluster.remove();
});

const id = "'0b9c1f3e-6d0a-4d0e-9b1a-0a1b2c3d4e5f'";
const table = 'CREATE TABLE t (id text PRIMARY KEY, v text, n bigint)';
const wanted = { t: { columns: { id: { type: 'uuid' } } } };
type Refusal = readonly [what: string, arrange: string, spec: unknown, code: FindingCode, says: RegExp, asAdmin?: boolean];

const refusals: readonly Refusal[] = [
  ['a table that does not exist', 'SELECT 1', { 'No-such': { columns: {} } }, 'table-not-found', /No-such/],
  ['a column that does not exist', table, { t: { columns: { ID: { type: 'uuid' } } } }, 'column-not-found', /no column ID/],
  ['a type that does not exist', table, { t: { columns: { id: { type: 'uuuid' } } } }, 'type-not-found', /uuuid/],
  ['no primary key', 'CREATE TABLE t (id text)', wanted, 'primary-key-missing', /no primary key/],
  ['a partitioned table', 'CREATE TABLE t (id text PRIMARY KEY) PARTITION BY HASH (id)', wanted, 'table-kind-unsupported', /partitioned/],
  ['an inheritance parent', `${table}; CREATE TABLE child () INHERITS (t)`, wanted, 'table-kind-unsupported', /inheritance/],
  ['a typed table', 'CREATE TYPE ty AS (id text); CREATE TABLE t OF ty (PRIMARY KEY (id))', wanted, 'table-kind-unsupported', /typed/],
  ['an unlogged table', 'CREATE UNLOGGED TABLE t (id text PRIMARY KEY)', wanted, 'table-kind-unsupported', /unlogged/],
  ['a view', `${table}; CREATE VIEW looks AS SELECT id FROM t`, wanted, 'dependent-unsupported', /^view public.looks depends/],
  ['a materialized view', `${table}; CREATE MATERIALIZED VIEW m AS SELECT id FROM t`, wanted, 'dependent-unsupported', /^materialized view public.m depends/],
  [
    'a trigger',
    `${table}; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()`,
    wanted,
    'dependent-unsupported',
    /trigger touch/,
  ],
  ['a rule', `${table}; CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING`, wanted, 'dependent-unsupported', /rule r/],
  ['a policy', `${table}; CREATE POLICY p ON t`, wanted, 'dependent-unsupported', /policy p/],
  ['row level security', `${table}; ALTER TABLE t ENABLE ROW LEVEL SECURITY`, wanted, 'dependent-unsupported', /row level security/],
  [
    'a function of its row type',
    `${table}; CREATE FUNCTION g(t) RETURNS text LANGUAGE sql AS 'SELECT 1::text'`,
    wanted,
    'dependent-unsupported',
    /function public.g\(public.t\)/,
  ],
  ['a statistics object', `${table}; CREATE STATISTICS st ON id, v FROM t`, wanted, 'dependent-unsupported', /statistics object public.st/],
  ['a publication', `${table}; CREATE PUBLICATION pub FOR TABLE t`, wanted, 'dependent-unsupported', /pub/, true],
  ['a table of another owner', `${table}; ALTER TABLE t OWNER TO other`, wanted, 'not-owner', /belongs to other/, true],
  [
    'an invalid index',
    `${table}; INSERT INTO t VALUES (${id}, 'x'); CREATE INDEX bad ON t (v); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bad'::regclass`,
    wanted,
    'index-invalid',
    /index bad/,
    true,
  ],
  ['an expression index on a converted column', `${table}; CREATE INDEX e ON t (lower(id))`, wanted, 'index-on-converted-column', /index e/],
  ['an operator class on a converted column', `${table}; CREATE INDEX o ON t (id text_pattern_ops)`, wanted, 'index-on-converted-column', /index o/],
  ['a foreign key from outside to a converted column', `${table}; CREATE TABLE c (t_id text REFERENCES t)`, wanted, 'reference-outside-group', /c refers/],
  [
    'a foreign key between types that do not compare',
    `${table}; CREATE TABLE p (id integer PRIMARY KEY)`,
    { t: { columns: { id: { type: 'uuid' } }, 'foreign-keys': { fk: { columns: ['v'], references: 'p(id)' } } } },
    'reference-type-mismatch',
    /cannot be compared/,
  ],
  [
    'a foreign key to something not unique',
    `${table}; CREATE TABLE p (id integer PRIMARY KEY, x text)`,
    { t: { columns: { id: { type: 'uuid' } }, 'foreign-keys': { fk: { columns: ['v'], references: 'p(x)' } } } },
    'reference-type-mismatch',
    /not unique/,
  ],
  [
    'a generated column',
    'CREATE TABLE t (id text PRIMARY KEY, g text GENERATED ALWAYS AS (lower(id)) STORED)',
    { t: { columns: { g: { type: 'varchar' } } } },
    'column-change-unsupported',
    /generated/,
  ],
  [
    'a conversion that does not exist',
    'CREATE TABLE t (id text PRIMARY KEY, j point)',
    { t: { columns: { j: { type: 'uuid' } } } },
    'conversion-unknown',
    /point cannot be converted to uuid/,
  ],
  ['a default of another type', table, { t: { columns: { id: { type: 'uuid', default: 'ARRAY[1]' } } } }, 'conversion-unknown', /default/],
  ['a key that is no uuid', `${table}; INSERT INTO t VALUES ('nonsense')`, wanted, 'key-not-convertible', /1 rows have a key that cannot be converted/],
  [
    'a key in another spelling (T29)',
    `${table}; INSERT INTO t VALUES (upper(${id})), ('{0b9c1f3e-6d0a-4d0e-9b1a-0a1b2c3d4e50}')`,
    wanted,
    'key-not-convertible',
    /2 keys do not come back/,
  ],
  ['two spellings of one key (T29)', `${table}; INSERT INTO t VALUES (upper(${id})), (${id})`, wanted, 'key-not-convertible', /would be equal/],
  [
    'values that do not fit',
    `${table}; INSERT INTO t VALUES (${id}, 'abc')`,
    { t: { columns: { v: { type: 'varchar(2)' } } } },
    'values-unfit',
    /1 rows have values that do not fit/,
  ],
  [
    'a column that becomes NOT NULL and has NULLs',
    `${table}; INSERT INTO t VALUES (${id}, NULL)`,
    { t: { columns: { v: { 'not-null': true } } } },
    'values-unfit',
    /1 rows/,
  ],
  [
    'a conversion that would round',
    'CREATE TABLE t (id integer PRIMARY KEY, n numeric); INSERT INTO t VALUES (1, 1.5)',
    { t: { columns: { n: { type: 'integer' } } } },
    'conversion-inexact',
    /round or shorten values in 1 rows/,
  ],
  [
    'rows without a parent',
    `${table}; CREATE TABLE p (id text PRIMARY KEY); INSERT INTO t VALUES (${id}, 'nobody')`,
    { t: { 'foreign-keys': { fk: { columns: ['v'], references: 'p(id)' } } } },
    'orphans-found',
    /1 rows have no parent for fk/,
  ],
];

describe('rebuild-tables refuses by name, before anything changes', () => {
  test.each(refusals.map((r) => ({ what: r[0], refusal: r })))('$what', async ({ refusal: [, arrange, spec, code, says, asAdmin] }) => {
    await cluster.admin('DROP PUBLICATION IF EXISTS pub; DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION app', 'refusals');
    if (asAdmin === true) {
      const [create, ...rest] = arrange.split('; ');
      await app.query(create!);
      for (const statement of rest) await cluster.admin(`SET search_path = public; ${statement}`, 'refusals');
    } else await app.query(arrange);
    const found = await rebuildTables.preflight(cx.cx, rebuildSpec.parse(spec));
    const blocks = found.findings.filter((f) => f.severity === 'block');
    expect(blocks.map((f) => f.code)).toContain(code);
    expect(blocks.map((f) => `${f.message} ${(f.keys ?? []).join(' ')}`).join('\n')).toMatch(says);
    for (const f of blocks) expect(f.hint).toBeDefined();
    expect((await app.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'lossless%'`)).rows).toEqual([]);
  });

  test('a plan that is there already is found done, and says so', async () => {
    await cluster.admin('DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION app', 'refusals');
    await app.query(
      `CREATE TABLE p (id uuid PRIMARY KEY); CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), v varchar(9) DEFAULT 'x', p uuid CONSTRAINT fk REFERENCES p ON DELETE CASCADE); CREATE INDEX i ON t (v) WHERE (v IS NOT NULL)`,
    );
    const spec = rebuildSpec.parse({
      t: {
        columns: { id: { type: 'uuid', default: 'gen_random_uuid()' }, v: { type: 'varchar(9)', default: "'x'" } },
        indexes: { i: { columns: ['v'], where: 'v IS NOT NULL' } },
        'foreign-keys': { fk: { columns: ['p'], references: 'p(id)', 'on-delete': 'cascade' } },
      },
    });
    const found = await rebuildTables.preflight(cx.cx, spec);
    expect(found).toMatchObject({ done: true, counts: {} });
    expect(found.findings.map((f) => f.code)).toEqual(['already-done']);
  });
});
