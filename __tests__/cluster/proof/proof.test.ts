import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { contents, contentsDiffer, tablesIn, unreadable } from '../../../src/proof/contents.js';
import { probeRow } from '../../../src/proof/crud.js';
import { differences, fingerprint, schemaOf } from '../../../src/proof/fingerprint.js';
import { foreignKeys, orphans, unvalidated } from '../../../src/proof/references.js';
import { compareWorkload, runQueries, timeWorkload } from '../../../src/proof/workload.js';
import type { Db } from '../../../src/pg/db.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { sessions } from '../../support/sessions.js';

const all = sessions();
let cluster: Cluster;
let made = 0;
const fresh = async (sql: string): Promise<Db> => {
  made += 1;
  const url = await cluster.create(`proof_${String(made)}`);
  const db = await all.open(url);
  await db.script(`SET search_path = public; ${sql}; SET search_path = pg_catalog`, { file: 'test' });
  return db;
};
const T = (name: string): { schema: string; name: string } => ({ schema: 'public', name });
const one = async (db: Db, name: string): Promise<{ rows: number; checksum: string }> => {
  const [c] = await contents(db, [T(name)]);
  return { rows: c!.rows, checksum: c!.checksum };
};

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await all.closeAll();
  await cluster.remove();
});

describe('contents', () => {
  test('is the same whatever the order of rows and columns, and differs for any changed value', async () => {
    const db = await fresh(`CREATE TABLE a (id int, "Mixed-Case" text, n numeric); INSERT INTO a VALUES (1, 'x', 1.5), (2, NULL, 2), (2, NULL, 2);
      CREATE TABLE b (n numeric, "Mixed-Case" text, id int); INSERT INTO b VALUES (2, NULL, 2), (1.5, 'x', 1), (2, NULL, 2);
      CREATE TABLE c (LIKE a); INSERT INTO c VALUES (1, 'x', 1.5), (2, '', 2), (2, NULL, 2); CREATE TABLE empty (LIKE a); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES`);
    const a = await one(db, 'a');
    expect(a.rows).toBe(3);
    expect(await one(db, 'b')).toEqual(a);
    expect((await one(db, 'c')).checksum).not.toBe(a.checksum);
    expect(await one(db, 'empty')).toEqual({ rows: 0, checksum: '0' });
    expect((await one(db, 'bare')).rows).toBe(1);
  });

  test('sees differences that equality hides', async () => {
    await cluster.admin('CREATE EXTENSION IF NOT EXISTS citext', 'template1');
    const db = await fresh(`CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN amount AS numeric; CREATE DOMAIN amount2 AS amount;
      CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE x (num numeric, dom amount2, f float8, iv interval, ci citext, js json, jb jsonb, arr int[], pt point, ch bpchar, tx text COLLATE nocase, xm xml, mo money, md mood, r int4range);
      CREATE TABLE y (LIKE x);
      INSERT INTO x (num) VALUES (1.0); INSERT INTO y (num) VALUES (1.00)`);
    const pairs: [string, string, string][] = [
      ['num', '1.0', '1.00'],
      ['dom', '1.0', '1.00'],
      ['f', '-0', '0'],
      ['iv', '1 day', '24 hours'],
      ['ci', 'A', 'a'],
      ['js', '{"a":1}', '{"a": 1}'],
      ['jb', '[1.0]', '[1.00]'],
      ['arr', '[0:0]={1}', '{1}'],
      ['pt', '(0,0)', '(0,1e-9)'],
      ['ch', 'a', 'a '],
      ['tx', 'A', 'a'],
      ['xm', '<a/>', '<a></a>'],
      ['mo', '1.00', '1.01'],
      ['md', 'a', 'b'],
      ['r', '[1,2)', '[1,3)'],
    ];
    for (const [column, left, right] of pairs) {
      await db.script(
        `TRUNCATE public.x, public.y; INSERT INTO public.x ("${column}") VALUES ('${left}'); INSERT INTO public.y ("${column}") VALUES ('${right}')`,
        { file: 'test' },
      );
      expect([column, (await one(db, 'x')).checksum]).not.toEqual([column, (await one(db, 'y')).checksum]);
      await db.script(`TRUNCATE public.y; INSERT INTO public.y SELECT * FROM public.x`, { file: 'test' });
      expect([column, await one(db, 'x')]).toEqual([column, await one(db, 'y')]);
    }
  });

  test('sees two rows exchanging a value', async () => {
    const db = await fresh(`CREATE TABLE x (k int, v int); CREATE TABLE y (k int, v int)`);
    for (let i = 1; i <= 40; i += 2) {
      await db.script(
        `INSERT INTO public.x VALUES (${String(i)}, ${String(i)}), (${String(i + 1)}, ${String(i + 1)}); INSERT INTO public.y VALUES (${String(i)}, ${String(i + 1)}), (${String(i + 1)}, ${String(i)})`,
        { file: 'test' },
      );
      expect((await one(db, 'x')).checksum).not.toBe((await one(db, 'y')).checksum);
      await db.script('TRUNCATE public.x, public.y', { file: 'test' });
    }
  });

  test('an enum made in another order of statements has the same checksum in another database', async () => {
    const values = `CREATE TABLE t (m mood); INSERT INTO t VALUES ('a'), ('b'), ('b')`;
    const left = await fresh(`CREATE TYPE mood AS ENUM ('a', 'b'); ${values}`);
    const right = await fresh(`CREATE TYPE other AS ENUM ('z'); CREATE TYPE mood AS ENUM ('a', 'b'); ${values}`);
    expect(await one(left, 't')).toEqual(await one(right, 't'));
  });

  test('lists leaf partitions, counts a parent of inheritance without its children, and leaves out ours and those of extensions', async () => {
    const db =
      await fresh(`CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1);
      CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
      CREATE SCHEMA lossless; CREATE TABLE lossless.runs (id int); CREATE SCHEMA lossless_old_r12345678; CREATE TABLE lossless_old_r12345678.t (id int); CREATE VIEW v AS SELECT 1`);
    expect((await tablesIn(db, null)).map((r) => r.name)).toEqual(['child', 'p1', 'parent']);
    expect((await one(db, 'parent')).rows).toBe(1);
    await expect(contents(db, [T('nothing')])).rejects.toThrow(/table public.nothing does not exist/);
  });

  test('a role for which row level security hides rows is refused, not lied to', async () => {
    const db =
      await fresh(`CREATE TABLE t (id int, mine bool); INSERT INTO t VALUES (1, true), (2, false); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (mine);
      CREATE TABLE u (id int)`);
    expect(await unreadable(db, [T('t')])).toEqual([]);
    expect((await one(db, 't')).rows).toBe(2);
    await db.script('ALTER TABLE public.t FORCE ROW LEVEL SECURITY', { file: 'test' });
    expect((await unreadable(db, [T('t'), T('u')])).map((f) => [f.code, f.object])).toEqual([['row-security-hides-rows', 'public.t']]);
    await expect(contents(db, [T('t')])).rejects.toThrow(/row-level security/);
  });

  test('differing tables are named with what differs', () => {
    const c = (
      name: string,
      rows: number,
      checksum: string,
    ): { relation: { schema: string; name: string }; rows: number; checksum: string; bytes: number } => ({ relation: T(name), rows, checksum, bytes: 0 });
    const found = contentsDiffer(
      [c('a', 1, '1'), c('b', 2, '5'), c('c', 3, '7'), c('d', 1, '1')],
      [c('a', 1, '1'), c('b', 1, '5'), c('c', 3, '8'), c('e', 0, '0')],
    );
    expect(found.map((d) => `${d.relation.name} ${d.what}`)).toEqual([
      'b has 1 rows, expected 2',
      'c has the expected 3 rows, but their contents differ',
      'd is missing',
      'e was not expected',
    ]);
  });
});

describe('fingerprint', () => {
  const everything = `CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TYPE pair AS (a int, b text);
    CREATE TABLE t (id serial PRIMARY KEY, "Mixed-Case" varchar(20) COLLATE "C" NOT NULL DEFAULT 'x', g int GENERATED ALWAYS AS (1 + 1) STORED, i int GENERATED ALWAYS AS IDENTITY, m mood, CONSTRAINT pos CHECK (id > 0));
    CREATE TABLE k (id int REFERENCES t (id) ON DELETE CASCADE); CREATE INDEX t_lower ON t (lower("Mixed-Case")) WHERE id > 5;
    CREATE VIEW v AS SELECT id FROM t; CREATE MATERIALIZED VIEW mv AS SELECT id FROM t;
    CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE agg (int) (SFUNC = int4pl, STYPE = int);
    CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();
    ALTER TABLE k ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON k FOR SELECT USING (id > 1); CREATE RULE ru AS ON DELETE TO k DO ALSO NOTIFY x; CREATE STATISTICS st ON id, m FROM t`;

  test('is the same for the same definitions in another database and another order, and blind to comments, grants and our own objects', async () => {
    const a = await schemaOf(await fresh(everything), ['public']);
    const other = await fresh(`${everything}; COMMENT ON TABLE t IS 'x'; GRANT SELECT ON t TO PUBLIC; CREATE SCHEMA lossless;
      CREATE FUNCTION lossless.cap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER zzz_lossless_capture_r0a1b2c3d AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION lossless.cap(); INSERT INTO t ("Mixed-Case") VALUES ('y')`);
    const b = await schemaOf(other, ['public']);
    expect(differences(a, b)).toEqual([]);
    expect(fingerprint(a)).toBe(fingerprint(b));
    expect(fingerprint(a)).toMatch(/^[0-9a-f]{64}$/);
    expect([...new Set(a.objects.map((o) => o.kind))].sort()).toEqual([
      'column',
      'constraint',
      'extension',
      'function',
      'index',
      'policy',
      'rule',
      'schema',
      'sequence',
      'statistics',
      'table',
      'trigger',
      'type',
      'view',
    ]);
  });

  test.each([
    ["ALTER TABLE t ALTER m SET DEFAULT 'b'", 'public.t.m', 'default'],
    ['ALTER TABLE t ALTER "Mixed-Case" TYPE varchar(21)', 'public.t.Mixed-Case', 'type'],
    ['ALTER TABLE t ALTER "Mixed-Case" DROP NOT NULL', 'public.t.Mixed-Case', 'not-null'],
    ["CREATE OR REPLACE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 2'", 'public.f(a integer, b text)', 'definition'],
    ['ALTER TABLE t DISABLE TRIGGER tr', 'public.t.tr', 'enabled'],
    ['ALTER TABLE k DISABLE ROW LEVEL SECURITY', 'public.k', 'row-security'],
    ["ALTER TYPE mood ADD VALUE 'c'", 'public.mood', 'labels'],
    ['ALTER SEQUENCE t_id_seq INCREMENT 2', 'public.t_id_seq', 'increment'],
    ['ALTER POLICY pol ON k USING (id > 2)', 'public.k.pol', 'using'],
  ])('sees %s', async (change, object, fact) => {
    const db = await fresh(everything);
    const before = await schemaOf(db, ['public']);
    await db.script(`SET search_path = public; ${change}`, { file: 'test' });
    await db.script('SET search_path = pg_catalog', { file: 'test' });
    const after = await schemaOf(db, ['public']);
    expect(differences(before, after).map((d) => [d.object, d.what, d.fact])).toContainEqual([object, 'changed', fact]);
    expect(fingerprint(after)).not.toBe(fingerprint(before));
  });

  test('names what is missing and what is extra', async () => {
    const a = await schemaOf(await fresh('CREATE TABLE a (id int); CREATE TABLE same (id int)'), ['public', 'other']);
    const b = await schemaOf(await fresh('CREATE TABLE b (id int); CREATE TABLE same (id int, x text); CREATE SCHEMA other'), ['public', 'other']);
    expect(
      differences(a, b)
        .map((d) => `${d.what} ${d.kind} ${d.object}`)
        .sort(),
    ).toEqual([
      'extra column public.b.id',
      'extra column public.same.x',
      'extra schema other',
      'extra table public.b',
      'missing column public.a.id',
      'missing table public.a',
    ]);
  });
});

describe('references', () => {
  test('counts orphans of declared keys, NOT VALID ones too, and names their keys', async () => {
    const db =
      await fresh(`CREATE TABLE p (id int PRIMARY KEY, x text); INSERT INTO p VALUES (1), (2); CREATE TABLE c (id text PRIMARY KEY, pid int); INSERT INTO c VALUES ('a', 1), ('b', 7), ('c', NULL), ('d', 8);
      ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (pid) REFERENCES p (id) NOT VALID;
      CREATE TABLE p2 (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c2 (k int, a int, b int); INSERT INTO c2 VALUES (1, 1, NULL), (2, 1, 1);
      ALTER TABLE c2 ADD CONSTRAINT fk2 FOREIGN KEY (a, b) REFERENCES p2 (a, b) NOT VALID; ALTER TABLE c2 ADD CONSTRAINT fk3 FOREIGN KEY (a, b) REFERENCES p2 (a, b) MATCH FULL NOT VALID`);
    const found = await orphans(db, await foreignKeys(db, ['public']));
    expect(found.map((o) => [o.fk.name, o.count, o.keys])).toEqual([
      ['fk', 2, ['b', 'd']],
      ['fk2', 1, ['(1,1)']],
      ['fk3', 2, ['(1,)', '(1,1)']],
    ]);
    expect((await unvalidated(db, ['public'])).map((u) => [u.kind, u.name])).toEqual([
      ['foreign key', 'fk'],
      ['foreign key', 'fk2'],
      ['foreign key', 'fk3'],
    ]);
  });

  test('an implied reference between differing types is compared as text', async () => {
    const db =
      await fresh(`CREATE TABLE p (id uuid PRIMARY KEY); INSERT INTO p VALUES ('a161a5cc-886a-48dc-be84-84d31e131d88'); CREATE TABLE c (id int PRIMARY KEY, pid text);
      INSERT INTO c VALUES (1, 'a161a5cc-886a-48dc-be84-84d31e131d88'), (2, 'gone')`);
    const base = {
      name: 'implied',
      child: T('c'),
      columns: ['pid'],
      parent: T('p'),
      parentColumns: ['id'],
      key: ['id'],
      declared: false,
      validated: false,
      operators: null,
      matchFull: false,
      childPartitioned: false,
      parentPartitioned: false,
    };
    expect((await orphans(db, [base])).map((o) => [o.count, o.keys])).toEqual([[1, ['2']]]);
  });
});

describe('probe rows', () => {
  test('every kind of table is written and nothing stays', async () => {
    const db = await fresh(`CREATE TYPE mood AS ENUM ('a', 'b');
      CREATE TABLE "bazaar-vid_user" (id varchar(255) PRIMARY KEY, email varchar(30) NOT NULL UNIQUE, n numeric); INSERT INTO "bazaar-vid_user" VALUES ('user_1', 'a@b.c', 1), ('user_2', 'b@b.c', 1);
      CREATE TABLE project (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "userId" varchar(255) NOT NULL REFERENCES "bazaar-vid_user" (id) ON DELETE CASCADE); INSERT INTO project ("userId") VALUES ('user_1');
      CREATE TABLE credits (user_id varchar(255) PRIMARY KEY REFERENCES "bazaar-vid_user" (id), m mood); INSERT INTO credits VALUES ('user_1', 'a');
      CREATE TABLE numbered (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (1) STORED, t text); INSERT INTO numbered (t) VALUES ('x');
      CREATE TABLE empty (id int PRIMARY KEY, p uuid NOT NULL REFERENCES project (id), j jsonb NOT NULL, m mood NOT NULL, a int[] NOT NULL, at timestamptz NOT NULL);
      CREATE TABLE strict (id int PRIMARY KEY, CHECK (id < 3)); INSERT INTO strict VALUES (1), (2);
      CREATE TABLE cross_ref (a uuid REFERENCES project (id), b varchar(255) REFERENCES "bazaar-vid_user" (id), x point, PRIMARY KEY (a, b)); CREATE TABLE only_identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
      CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM missing_table; RETURN NEW; END';
      CREATE TABLE with_trigger (id int); CREATE TRIGGER b BEFORE INSERT ON with_trigger FOR EACH ROW EXECUTE FUNCTION broken()`);
    const tables = await tablesIn(db, ['public']);
    const before = await contents(db, tables);
    const verdicts: Record<string, string> = {};
    for (const table of tables) {
      const check = await probeRow(db, table);
      verdicts[table.name] = check.verdict === 'pass' ? 'pass' : `${check.verdict}: ${check.actual}`;
    }
    expect(verdicts).toEqual({
      'bazaar-vid_user': 'pass',
      credits: 'pass',
      cross_ref: 'pass',
      empty: 'pass',
      numbered: 'pass',
      only_identity: 'pass',
      project: 'pass',
      strict: "not-measured: not measured: the table's own rules refused the invented row (23514)",
      with_trigger: 'fail: insert fails with SQLSTATE 42P01',
    });
    expect(contentsDiffer(before, await contents(db, tables))).toEqual([]);
  });
});

describe('workload and queries', () => {
  test('answers are compared as the text of the server and never printed unless they are numbers', async () => {
    const db = await fresh(`CREATE TABLE t (id int, name text, n numeric); INSERT INTO t VALUES (1, 'a "b", (c)\\', 1.50), (2, NULL, 2), (3, '', 3)`);
    const ask = async (sql: string, expect_: string | (string | null)[][]): Promise<string> => {
      const [c] = await runQueries(db, [{ name: 'q', sql, expect: expect_ }], ['public']);
      return `${c!.verdict}: ${c!.actual}`;
    };
    expect(await ask('SELECT count(*) FROM t;', '3')).toBe('pass: 3');
    expect(await ask('SELECT count(*) FROM t', '4')).toBe('fail: 3');
    expect(await ask('SELECT name FROM t WHERE id = 1', 'x')).toBe('fail: another value');
    expect(await ask('SELECT count(*) = 3 FROM t', 'true')).toBe('pass: true');
    expect(
      await ask('SELECT id, name, n, n FROM t ORDER BY id', [
        ['1', 'a "b", (c)\\', '1.50', '1.50'],
        ['2', null, '2', '2'],
        ['3', '', '3', '3'],
      ]),
    ).toBe('pass: 3 rows as in the plan');
    expect(await ask('SELECT id FROM t ORDER BY id', [['1'], ['2'], ['4']])).toBe("fail: 3 rows that differ from the plan's");
    expect(await ask('SELECT id FROM t', '1')).toBe('fail: 3 rows of 1 columns, expected a single value');
    expect(await ask('SELECT nothing FROM t', '1')).toMatch(/^fail: the query fails: .*column "nothing" does not exist/);
    expect(await ask('DELETE FROM t', '1')).toMatch(/^fail: the query fails/);
  });

  test('a slower query fails its ratio, a faster one and noise pass, an untimed one is not measured', async () => {
    const db = await fresh('CREATE TABLE t (id int)');
    const timed = await timeWorkload(
      db,
      [
        { name: 'sleep', sql: 'SELECT pg_sleep(0.01)' },
        { name: 'count', sql: 'SELECT count(*) FROM t' },
      ],
      3,
      ['public'],
    );
    expect(timed.map((t) => t.name)).toEqual(['sleep', 'count']);
    expect(timed[0]!.medianMs).toBeGreaterThan(9);
    const w = (medianMs: number): { name: string; medianMs: number; rounds: number }[] => [{ name: 'q', medianMs, rounds: 3 }];
    const limit = [{ name: 'q', maxRatio: 1.2 }];
    expect(compareWorkload(w(10), w(11), limit)[0]!.verdict).toBe('pass');
    expect(compareWorkload(w(20), w(26), limit)[0]!.verdict).toBe('fail');
    expect(compareWorkload(w(0.1), w(4), limit)[0]!.verdict).toBe('pass');
    expect(compareWorkload([], w(1), limit)[0]!.verdict).toBe('not-measured');
    await expect(timeWorkload(db, [{ name: 'bad', sql: 'SELECT x' }], 1)).rejects.toThrow(/verify.workload, query "bad" fails/);
  });
});
