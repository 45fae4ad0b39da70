import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { RebuildReceipt } from '../../../src/steps/rebuild-tables/receipt.js';
import { rebuildSpec } from '../../../src/steps/rebuild-tables/spec.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';
import { connectTo } from './fixture.js';

/** Odd types, odd names, and DDL of the application at the worst moment: no write may be lost, and every rollback must be exact. */
let cluster: Cluster;
const open: { end(): Promise<void> }[] = [];
let count = 0;

beforeAll(async () => {
  cluster = await startCluster();
});
afterEach(async () => {
  for (const client of open.splice(0).reverse()) await client.end();
});
afterAll(() => cluster.remove());

class ActingSlot extends MemorySlot<RebuildReceipt> {
  acts: Partial<Record<RebuildReceipt['state'], () => Promise<unknown>>> = {};
  /** killed before this state became durable */
  never: RebuildReceipt['state'] | null = null;
  override async save(receipt: RebuildReceipt): Promise<void> {
    if (receipt.state === this.never) throw new Error('killed');
    await super.save(receipt);
    await this.acts[receipt.state]?.();
  }
}

interface Case {
  readonly app: pg.Client;
  readonly cx: TestContext;
  readonly spec: ReturnType<typeof rebuildSpec.parse>;
  readonly slot: ActingSlot;
  apply(): Promise<RebuildReceipt>;
  undo(): Promise<void>;
  watch(): ReturnType<typeof rebuildTables.watch>;
  /** rows of t as text */
  rows(): Promise<string[]>;
  connect(): Promise<pg.Client>;
}

async function prepare(ddl: string, table: unknown, patienceMs = 3000): Promise<Case> {
  count += 1;
  const url = await cluster.create(`edge${String(count)}`);
  const connect = async (): Promise<pg.Client> => {
    const client = await connectTo(url);
    open.push(client);
    return client;
  };
  const app = await connect();
  await app.query(ddl);
  const cx = await stepContext(url, { patienceMs });
  open.push({ end: () => cx.close() });
  const spec = rebuildSpec.parse({ t: table });
  const slot = new ActingSlot();
  return {
    app,
    cx,
    spec,
    slot,
    connect,
    apply: async () => {
      await rebuildTables.apply(cx.cx, spec, slot);
      return slot.last!;
    },
    undo: () => rebuildTables.undo(cx.cx, spec, slot.last, slot),
    watch: () => rebuildTables.watch(cx.cx, spec, slot.last!),
    rows: async () => (await app.query<{ t: string }>('SELECT t::text AS t FROM t ORDER BY 1')).rows.map((r) => r.t),
  };
}

const blocks = async (c: Case): Promise<string[]> =>
  (await rebuildTables.preflight(c.cx.cx, c.spec)).findings.filter((f) => f.severity === 'block').map((f) => f.code);

describe('what an application may do to a rebuild', () => {
  test('a column added after the definition was read stops the swap instead of being left behind', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i', {
      columns: { v: { type: 'integer' } },
    });
    c.slot.acts.capture = () => c.app.query("ALTER TABLE t ADD COLUMN late text DEFAULT 'kept'");
    await expect(c.apply()).rejects.toThrow(/changed/);
    await c.undo();
    expect((await c.rows())[0]).toBe('(1,1,kept)');
  });

  test('a view made while the table is copied stops the swap: it would go on showing the retired rows', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i', {
      columns: { v: { type: 'integer' } },
    });
    c.slot.acts.syncing = () => c.app.query('CREATE VIEW looks AS SELECT id FROM t');
    await expect(c.apply()).rejects.toThrow(/changed/);
    await c.undo();
    expect((await c.app.query('SELECT * FROM looks')).rowCount).toBe(10);
  });

  test('values rewritten by ALTER TABLE without a new type, after the proof, stop the swap', async () => {
    const c = await prepare("CREATE TABLE t (id int PRIMARY KEY, v text, w text); INSERT INTO t SELECT i, i, 'a' FROM generate_series(1, 10) i", {
      columns: { v: { type: 'integer' } },
    });
    c.slot.acts.ready = () => c.app.query('ALTER TABLE t ALTER COLUMN w TYPE text USING upper(w)');
    await expect(c.apply()).rejects.toThrow(/changed/);
    await c.undo();
    expect((await c.rows())[0]).toBe('(1,1,A)');
  });

  test('a column added between the proof of a rollback and its swap stops the rollback', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i', {
      columns: { v: { type: 'integer' } },
    });
    await c.apply();
    await c.app.query('UPDATE t SET v = v + 1 WHERE id = 1');
    const { db } = c.cx;
    const one = db.one.bind(db);
    let late = true;
    // between the proof's question and the swap
    db.one = async <Row>(...args: Parameters<typeof db.one>): Promise<Row> => {
      const row = await one<Row>(...args);
      if (late && args[0].startsWith('rebuild-tables/compare')) {
        late = false;
        await c.app.query("ALTER TABLE t ADD COLUMN late text DEFAULT 'kept'");
      }
      return row;
    };
    await expect(c.undo()).rejects.toThrow(/changed/);
    expect((await c.rows()).at(-1)).toMatch(/,kept\)$/);
  });

  test('a column added after a swap that was interrupted before its validation stops the rollback', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 1)', { columns: { v: { type: 'integer' } } });
    c.slot.acts.swapped = () => Promise.reject(new Error('killed'));
    await expect(c.apply()).rejects.toThrow('killed');
    await c.app.query("ALTER TABLE t ADD COLUMN late text DEFAULT 'kept'");
    await expect(c.undo()).rejects.toThrow(/got columns/);
    await c.app.query('ALTER TABLE t DROP COLUMN late; UPDATE t SET v = 2');
    await c.undo();
    expect(await c.rows()).toEqual(['(1,2)']);
  });

  test('a column added between the swap and the validation stops the rollback as well', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 1)', { columns: { v: { type: 'integer' } } });
    c.slot.acts.swapped = () => c.app.query("ALTER TABLE t ADD COLUMN late text DEFAULT 'kept'");
    expect((await c.apply()).state).toBe('validated');
    await expect(c.undo()).rejects.toThrow(/got columns/);
    expect(await c.rows()).toEqual(['(1,1,kept)']);
  });

  test('a row that does not fit and comes between the two questions of the quick proof is judged by key', async () => {
    const c = await prepare("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '1')", {
      columns: { v: { type: 'integer' } },
      unfit: 'fail',
    });
    let late = true;
    const { db } = c.cx;
    const session = db.session.bind(db);
    // the proof has a session of its own per table
    db.session = (kind, work) =>
      session(kind, (inner) => {
        const one = inner.one.bind(inner);
        inner.one = async <Row>(...args: Parameters<typeof inner.one>): Promise<Row> => {
          if (late && args[0] === 'rebuild-tables/compare-whole') {
            late = false;
            await c.app.query("INSERT INTO t VALUES (2, 'x')");
          }
          return one<Row>(...args);
        };
        return work(inner);
      });
    // set right before the swap, so the swap goes through
    c.slot.acts.ready = () => c.app.query("UPDATE t SET v = '2' WHERE id = 2");
    await c.apply();
    expect(late).toBe(false);
    expect(await c.rows()).toEqual(['(1,1)', '(2,2)']);
  });

  test('killed right after the swap: a watch carries writes back and leaves the guard awake, for nobody knows yet which transactions are older', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 1), (2, 2)', { columns: { v: { type: 'integer' } } });
    const straddling = await c.connect();
    await straddling.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
    c.slot.never = 'swapped';
    await expect(c.apply()).rejects.toThrow('killed');
    expect(c.slot.last?.state).toBe('ready');
    await c.app.query('UPDATE t SET v = 77 WHERE id = 2');
    expect((await c.watch()).drained).toBe(1);
    await expect(straddling.query('UPDATE t SET v = 5 WHERE id = 1')).rejects.toMatchObject({ code: '40001' });
    await straddling.query('ROLLBACK');
    await c.undo();
    expect(await c.rows()).toEqual(['(1,1)', '(2,77)']);
  });

  test('a rollback whose connection was lost while its swap waited is made again', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i', {
      columns: { v: { type: 'integer' } },
    });
    const before = await c.rows();
    await c.apply();
    const other = await c.connect();
    await other.query('BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE');
    const killer = await c.connect();
    const killing: Promise<unknown>[] = [];
    c.cx.onEvent = (event) => {
      if (event.type !== 'swap' || event.moment !== 'sent' || killing.length > 0) return;
      killing.push(
        killer.query(`DO $$ BEGIN FOR i IN 1..200 LOOP
        IF (SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l WHERE NOT l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation = 't'::regclass) > 0 THEN RETURN; END IF;
        PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot();
      END LOOP; END $$`),
      );
    };
    await expect(c.undo()).rejects.toThrow();
    await Promise.all(killing);
    await other.query('ROLLBACK');
    c.cx.onEvent = () => undefined;
    await c.app.query('UPDATE t SET v = 77 WHERE id = 7');
    await c.undo();
    expect(await c.rows()).toEqual(before.map((r) => (r === '(7,7)' ? '(7,77)' : r)));
  });
});

describe('odd types and names', () => {
  test('a column of arrays is converted, followed and brought back', async () => {
    const c = await prepare("CREATE TABLE t (id int PRIMARY KEY, v int[]); INSERT INTO t VALUES (1, '{1,2}'), (2, '{}'), (3, NULL), (4, '{4}')", {
      columns: { v: { type: 'bigint[]' } },
    });
    expect(await blocks(c)).toEqual([]);
    await c.apply();
    await c.app.query("UPDATE t SET v = v || 7::bigint WHERE id IN (1, 2, 4); INSERT INTO t VALUES (5, '{9,NULL}'); DELETE FROM t WHERE id = 3");
    const rows = await c.rows();
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(rows);
  });

  test('json becomes jsonb and comes back as it was spelled', async () => {
    const c = await prepare(`CREATE TABLE t (id int PRIMARY KEY, v json); INSERT INTO t VALUES (1, '{"b": 1,  "a":1}'), (2, '[1, 2]'), (3, NULL)`, {
      columns: { v: { type: 'jsonb' } },
    });
    expect(await blocks(c)).toEqual([]);
    const before = await c.rows();
    await c.apply();
    await c.app.query(`UPDATE t SET v = '{"n": 1.0}' WHERE id = 2; UPDATE t SET id = 4 WHERE id = 3; UPDATE t SET v = v WHERE id = 1`);
    expect((await c.watch()).findings).toEqual([]);
    await c.app.query(`UPDATE t SET v = '{"n": 1.00}' WHERE id = 2`);
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    const after = await c.rows();
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe('(2,"{""n"": 1.00}")');
  });

  test('text becomes json and is followed', async () => {
    const c = await prepare(`CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '{"b": 1,  "a":1}'), (2, '[1, 2]')`, {
      columns: { v: { type: 'json' } },
    });
    expect(await blocks(c)).toEqual([]);
    await c.apply();
    await c.app.query(`UPDATE t SET v = '{"n":  1}' WHERE id = 2`);
    const rows = await c.rows();
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(rows);
  });

  test('a value changed to an equal one that prints differently is carried back as it was written', async () => {
    const c = await prepare("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '1.0'), (2, '2')", { columns: { v: { type: 'numeric' } } });
    await c.apply();
    await c.app.query('UPDATE t SET v = 1.00 WHERE id = 1');
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(['(1,1.00)', '(2,2)']);
  });

  test('columns called like the variables of our functions are in nobody’s way', async () => {
    const c = await prepare(
      'CREATE TABLE t (k1 int, v1 text, f1 text, fk1 int, ks1 int, taken int, truncated boolean, gone int, n int, l int, op int, lim int, PRIMARY KEY (k1, ks1)); INSERT INTO t SELECT i, i, i, i, i, i, true, i, i, i, i, i FROM generate_series(1, 10) i',
      { columns: { v1: { type: 'integer', using: 'v1::integer' }, f1: { type: 'bigint' } } },
    );
    expect(await blocks(c)).toEqual([]);
    c.slot.acts.copied = () => c.app.query("UPDATE t SET v1 = '77', taken = 3 WHERE k1 = 2; DELETE FROM t WHERE k1 = 3");
    await c.apply();
    await c.app.query('UPDATE t SET f1 = 5, ks1 = 50 WHERE k1 = 4; DELETE FROM t WHERE k1 = 5; INSERT INTO t VALUES (11, 1, 1, 1, 1)');
    const rows = await c.rows();
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(rows);
  });

  test('names with quotes, backslashes, dollars and 63 bytes', async () => {
    const name = `a"b'c\\d $x$ :x :"y" %I`;
    const long = 'ü'.repeat(31) + 'x';
    const q = (n: string): string => `"${n.replaceAll('"', '""')}"`;
    const c = await prepare(
      `CREATE TABLE t (${q(name)} int, ${q(long)} text, "$1" text DEFAULT 'x', CONSTRAINT ${q('P' + long.slice(0, 30))} PRIMARY KEY (${q(name)})); CREATE INDEX ${q('I' + long.slice(0, 30))} ON t (${q(long)}); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i`,
      { columns: { [long]: { type: 'integer' } } },
    );
    expect(await blocks(c)).toEqual([]);
    c.slot.acts.copied = () => c.app.query(`UPDATE t SET ${q(long)} = '77' WHERE ${q(name)} = 2`);
    await c.apply();
    await c.app.query(`UPDATE t SET ${q(long)} = 78 WHERE ${q(name)} = 3`);
    const rows = await c.rows();
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(rows);
  });

  test('a name that holds the text our functions are quoted with is refused', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, "$lossless$; DROP TABLE t" text)', { columns: { id: { type: 'bigint' } } });
    await expect(c.apply()).rejects.toThrow(/\$lossless\$/);
  });

  test('a key whose collation takes two spellings for one is followed', async () => {
    const c = await prepare(
      `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       CREATE TABLE t (id text COLLATE folded PRIMARY KEY, v text); INSERT INTO t SELECT 'k' || i, i FROM generate_series(1, 10) i`,
      { columns: { v: { type: 'integer' } } },
    );
    expect(await blocks(c)).toEqual([]);
    c.slot.acts.copied = () => c.app.query("UPDATE t SET id = 'K2' WHERE id = 'k2'");
    await c.apply();
    await c.app.query("UPDATE t SET id = 'K3' WHERE id = 'k3'");
    const rows = await c.rows();
    expect((await c.watch()).findings).toEqual([]);
    await c.undo();
    expect(await c.rows()).toEqual(rows);
  });

  test('a key whose equal values have several spellings cannot be made a text, nor a text such a key', async () => {
    for (const [from, to] of [
      ['numeric', 'text'],
      ['text', 'numeric'],
    ]) {
      const c = await prepare(`CREATE TABLE t (id ${from ?? ''} PRIMARY KEY, v text); INSERT INTO t VALUES ('1.0', 'a')`, { columns: { id: { type: to } } });
      expect(await blocks(c)).toContain('column-change-unsupported');
    }
  });

  test('a table without rows is rebuilt and brought back', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v text)', { columns: { v: { type: 'integer' } } });
    await c.apply();
    await c.app.query('INSERT INTO t VALUES (1, 2)');
    await c.undo();
    expect(await c.rows()).toEqual(['(1,2)']);
  });

  test('an integer that does not fit its old column blocks the rollback and loses nothing', async () => {
    const c = await prepare('CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)', { columns: { v: { type: 'bigint' } } });
    await c.apply();
    await c.app.query('UPDATE t SET v = 3000000000; INSERT INTO t VALUES (2, 2)');
    expect((await c.watch()).blocking.map((f) => f.code)).toContain('not-convertible-back');
    await expect(c.undo()).rejects.toThrow(/converted back/);
    expect(await c.rows()).toEqual(['(1,3000000000)', '(2,2)']);
    await c.app.query('UPDATE t SET v = 3 WHERE id = 1');
    await c.undo();
    expect(await c.rows()).toEqual(['(1,3)', '(2,2)']);
  });
});
