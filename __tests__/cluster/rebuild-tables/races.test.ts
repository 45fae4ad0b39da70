import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { Event } from '../../../src/report/event.js';
import type { RebuildReceipt } from '../../../src/steps/rebuild-tables/receipt.js';
import { rebuildSpec, type RebuildSpec } from '../../../src/steps/rebuild-tables/spec.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { Killed, MemorySlot, stepContext, type TestContext, type TestContextOptions } from '../../support/step-context.js';
import { approved, connectTo, contents, dump, leftovers, number, rows, schema, spec } from './fixture.js';

/** The deterministic races of REBUILD section 10, each on a database of its own. */
let cluster: Cluster;
const open: { end(): Promise<void> }[] = [];
let count = 0;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.admin('CREATE ROLE reporting; CREATE ROLE nosy');
  for (const [name, n] of [
    ['small', 134],
    ['large', 20_000],
  ] as const) {
    const client = await connectTo(await cluster.create(name));
    await client.query(schema);
    await client.query(rows(n));
    await client.end();
  }
});
afterEach(async () => {
  for (const client of open.splice(0).reverse()) await client.end();
});
afterAll(() => cluster.remove());

interface Case {
  readonly database: string;
  readonly url: string;
  readonly app: pg.Client;
  readonly cx: TestContext;
  connect(): Promise<pg.Client>;
  again(options?: TestContextOptions): Promise<TestContext>;
}

async function prepare(template: 'small' | 'large', options: TestContextOptions = {}): Promise<Case> {
  count += 1;
  const database = `race${String(count)}`;
  const url = await cluster.create(database, template);
  const connect = async (): Promise<pg.Client> => {
    const client = await connectTo(url);
    open.push(client);
    return client;
  };
  const again = async (more: TestContextOptions = options): Promise<TestContext> => {
    const made = await stepContext(url, { approved, ...more });
    open.push({ end: () => made.close() });
    return made;
  };
  return { database, url, app: await connect(), cx: await again(), connect, again };
}

/** A slot that acts right after a state was saved. */
class ActingSlot extends MemorySlot<RebuildReceipt> {
  constructor(private readonly acts: Partial<Record<RebuildReceipt['state'], () => Promise<unknown>>>) {
    super();
  }
  override async save(receipt: RebuildReceipt): Promise<void> {
    await super.save(receipt);
    await this.acts[receipt.state]?.();
  }
}

const E = '"bazaar-vid_exports"';
const md5 = (text: string): string => `md5('${text}')::uuid`;
const sqlstate = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
const apply = async (c: Case, acts: ConstructorParameters<typeof ActingSlot>[0] = {}, s: RebuildSpec = spec): Promise<RebuildReceipt> => {
  const slot = new ActingSlot(acts);
  await rebuildTables.apply(c.cx.cx, s, slot);
  return slot.last!;
};
const on = (c: Case, type: Event['type'], act: () => unknown): void => {
  let done = false;
  c.cx.onEvent = (event) => {
    if (event.type !== type || done) return;
    done = true;
    act();
  };
};
/** Everything undone: rows and schema are those of `before`. */
const undone = async (c: Case, receipt: RebuildReceipt | null, before: { dump: string; rows: string }): Promise<void> => {
  await rebuildTables.undo(c.cx.cx, spec, receipt);
  expect(await contents(c.app)).toBe(before.rows);
  expect(await dump(cluster, c.database)).toBe(before.dump);
};
const snapshot = async (c: Case): Promise<{ dump: string; rows: string }> => ({ dump: await dump(cluster, c.database), rows: await contents(c.app) });

describe('races of a rebuild', () => {
  test('a REPEATABLE READ transaction that straddles the swap gets 40001 for its writes, others do not, and the guard rests when it has ended (T5, T6)', async () => {
    const c = await prepare('small');
    const straddling = await c.connect();
    await straddling.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
    const receipt = await apply(c);
    for (const write of [
      `UPDATE ${E} SET progress = 1`,
      `DELETE FROM ${E}`,
      `INSERT INTO ${E} (user_id, project_id, render_id) VALUES ('user_1', ${md5('p1')}, 'x')`,
    ]) {
      await straddling.query('SAVEPOINT s');
      expect(await sqlstate(straddling.query(write))).toBe('40001');
      await straddling.query('ROLLBACK TO s');
    }
    const other = await c.connect();
    await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    expect(await sqlstate(other.query(`UPDATE ${E} SET progress = 1 WHERE render_id = 'r5'`))).toBe('ok');
    await other.query('COMMIT');
    expect(await sqlstate(c.app.query(`UPDATE ${E} SET progress = 2 WHERE render_id = 'r5'`))).toBe('ok');
    const awake = `SELECT count(*) FROM pg_proc WHERE proname LIKE 'guard_%' AND prosrc LIKE '%40001%'`;
    expect(await number(c.app, awake)).toBe(3);
    await straddling.query('COMMIT');
    expect((await rebuildTables.canUndo(c.cx.cx, spec, receipt)).length).toBe(0);
    await rebuildTables.watch(c.cx.cx, spec, receipt);
    expect(await number(c.app, awake)).toBe(0);
  });

  test('nobody but our drains writes a retired table (T4)', async () => {
    const c = await prepare('small');
    const receipt = await apply(c);
    const old = `lossless_old_r0000test.${E}`;
    for (const write of [
      `INSERT INTO ${old} (id, user_id, project_id, render_id) VALUES ('x', 'y', 'z', 'zz')`,
      `UPDATE ${old} SET progress = 1`,
      `DELETE FROM ${old}`,
      `TRUNCATE ${old}`,
    ])
      expect(await sqlstate(c.app.query(write))).toBe('40001');
    await c.app.query(`UPDATE ${E} SET progress = 77 WHERE render_id = 'r7'`);
    await rebuildTables.watch(c.cx.cx, spec, receipt);
    expect(await number(c.app, `SELECT progress FROM ${old} WHERE render_id = 'r7'`)).toBe(77);
  });

  test('TRUNCATE while copying, between drains and after the swap, also by CASCADE, is followed both ways (T11)', async () => {
    const c = await prepare('small');
    const receipt = await apply(c, {
      copied: () => c.app.query(`TRUNCATE "Notes"; INSERT INTO "Notes" VALUES (${md5('e9')}::text, 1, 'first')`),
      indexed: () => c.app.query(`TRUNCATE "Notes"; INSERT INTO "Notes" VALUES (${md5('e9')}::text, 2, 'second')`),
    });
    expect((await c.app.query('SELECT body FROM "Notes"')).rows).toEqual([{ body: 'second' }]);
    await c.app.query(`TRUNCATE ${E} CASCADE`);
    await c.app.query(
      `INSERT INTO ${E} (id, user_id, project_id, render_id) VALUES (${md5('e9')}, 'user_1', ${md5('p1')}, 'only'); INSERT INTO "Notes" VALUES (${md5('e9')}, 3, 'third')`,
    );
    const now = await contents(c.app);
    expect((await rebuildTables.watch(c.cx.cx, spec, receipt)).findings).toEqual([]);
    await rebuildTables.undo(c.cx.cx, spec, receipt);
    const back = await contents(c.app);
    expect(back.split('\n').filter((l) => l.includes('only') || l.includes('third'))).toEqual(
      now.split('\n').filter((l) => l.includes('only') || l.includes('third')),
    );
    // the rows that were set aside come back, everything that was truncated does not
    expect(await number(c.app, `SELECT count(*) FROM ${E}`)).toBe(3);
    expect(await number(c.app, 'SELECT count(*) FROM "bazaar-vid_export_analytics"')).toBe(6);
  });

  test('rows that move between chunks are neither twice nor missing (T13)', async () => {
    const c = await prepare('large', { workers: 1 });
    const mover = await c.connect();
    let moved: Promise<unknown> = Promise.resolve();
    on(
      c,
      'progress',
      () =>
        (moved = mover
          .query(`UPDATE ${E} SET progress = progress + 1, metadata = metadata || '{"moved": true}'`)
          .then(() => mover.query(`VACUUM ${E}`))
          .then(() => mover.query(`UPDATE ${E} SET progress = progress + 1`))),
    );
    const receipt = await apply(c);
    await moved;
    expect((await rebuildTables.verify(c.cx.cx, spec, receipt)).findings).toEqual([]);
    expect(await number(c.app, `SELECT count(*) FROM ${E} WHERE metadata ? 'moved'`)).toBe(19_998);
  });

  test('VACUUM FULL between chunks makes the copy start again (T14)', async () => {
    const c = await prepare('large', { workers: 1 });
    const other = await c.connect();
    let done: Promise<unknown> = Promise.resolve();
    on(c, 'progress', () => (done = other.query(`VACUUM FULL ${E}`)));
    const receipt = await apply(c);
    await done;
    expect(c.cx.events.some((e) => e.type === 'said' && e.text.includes('was rewritten'))).toBe(true);
    expect((await rebuildTables.verify(c.cx.cx, spec, receipt)).findings).toEqual([]);
    expect(await number(c.app, `SELECT count(*) FROM ${E}`)).toBe(19_998);
  });

  test('a database whose default isolation is REPEATABLE READ changes nothing (T21)', async () => {
    const c = await prepare('small');
    await cluster.admin(`ALTER DATABASE ${c.database} SET default_transaction_isolation = 'repeatable read'`);
    const late = await c.connect();
    const again = await c.again();
    const slot = new ActingSlot({ ready: () => late.query(`UPDATE ${E} SET progress = 99 WHERE render_id = 'r9'`) });
    await rebuildTables.apply(again.cx, spec, slot);
    expect(await number(c.app, `SELECT progress FROM ${E} WHERE render_id = 'r9'`)).toBe(99);
  });

  test('a lock that never comes names who holds it, nothing is replaced, and the step can be undone (T24)', async () => {
    const c = await prepare('small', { patienceMs: 2500 });
    const before = await snapshot(c);
    const holder = await c.connect();
    const { rows: pids } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const slot = new ActingSlot({ ready: () => holder.query(`BEGIN; LOCK TABLE ${E} IN ROW EXCLUSIVE MODE`) });
    const error = await rebuildTables.apply(c.cx.cx, spec, slot).catch((e: unknown) => e as Error & { blockers: string[] });
    expect(error).toMatchObject({ name: 'LockNotGranted' });
    expect((error as { blockers: string[] }).blockers.join()).toContain(`pid ${String(pids[0]?.pid)}`);
    await holder.query('ROLLBACK');
    await undone(c, slot.last, before);
    expect(await leftovers(c.app)).toEqual([]);
  });

  test('with unfit: fail a row that cannot be converted and arrives while copying stops the swap and is named; once corrected, it does not (T30)', async () => {
    const strict = rebuildSpec.parse({ Notes: { columns: { body: { type: 'integer' } } } });
    const c = await prepare('small');
    await c.app.query(`UPDATE "Notes" SET body = '1'`);
    const bad = `INSERT INTO "Notes" VALUES (${md5('e9')}::text, 99, 'not a number')`;
    const before = await snapshot(c);
    const slot = new ActingSlot({ indexed: () => c.app.query(bad) });
    await expect(rebuildTables.apply(c.cx.cx, strict, slot)).rejects.toThrow(/1 rows of public.Notes do not fit the new types; 0 were approved: \(.*,99\)/);
    await c.app.query(`DELETE FROM "Notes" WHERE "No" = 99`);
    await rebuildTables.undo(c.cx.cx, strict, slot.last);
    expect({ dump: await dump(cluster, c.database), rows: await contents(c.app) }).toEqual(before);
    const receipt = await apply(c, { copied: () => c.app.query(bad), indexed: () => c.app.query(`UPDATE "Notes" SET body = '7' WHERE "No" = 99`) }, strict);
    expect((await rebuildTables.verify(c.cx.cx, strict, receipt)).tables[0]).toMatchObject({ quarantined: 0 });
    expect(await number(c.app, `SELECT body FROM "Notes" WHERE "No" = 99`)).toBe(7);
  });

  test('rows that do not fit are set aside up to the approved number, whole, and come back with a rollback', async () => {
    const c = await prepare('small');
    await c.app.query(`UPDATE ${E} SET project_id = 'nonsense' WHERE render_id = 'r50'; DELETE FROM "Notes"; DELETE FROM flags`);
    const before = await snapshot(c);
    const found = await rebuildTables.preflight(c.cx.cx, spec);
    expect(found.counts).toMatchObject({ 'bazaar-vid_exports.conversion': 1, 'bazaar-vid_exports.exports_project_fk': 2 });
    const children = found.counts['bazaar-vid_export_analytics.export_analytics_export_fk']!;
    expect(children).toBeGreaterThan(6);
    const again = await c.again({ approved: found.counts });
    const slot = new MemorySlot<RebuildReceipt>();
    await rebuildTables.apply(again.cx, spec, slot);
    const verified = await rebuildTables.verify(again.cx, spec, slot.last!);
    expect(verified.findings).toEqual([]);
    expect(verified.tables.map((t) => t.quarantined)).toEqual([3, children, 0]);
    await undone(c, slot.last, before);
    expect(rebuildTables.retired(spec, { ...slot.last!, state: 'undone' })[0]).toEqual({ schema: 'lossless_new_r0000test', name: 'bazaar-vid_exports' });
    await expect(rebuildTables.apply(c.cx.cx, spec, new MemorySlot())).rejects.toThrow(/do not fit the new types; 0 were approved/);
  });

  test('a parent key updated, and rows of an outside parent deleted, after the swap: the cascades are as before, and the rollback has them (T25, T27)', async () => {
    const c = await prepare('small');
    const receipt = await apply(c);
    await c.app.query(`DELETE FROM "bazaar-vid_export_analytics" WHERE export_id = ${md5('e20')}`);
    await c.app.query(`UPDATE ${E} SET id = ${md5('moved')} WHERE id = ${md5('e20')}`);
    expect(await number(c.app, `SELECT count(*) FROM "Notes" WHERE export_id = ${md5('moved')}`)).toBe(1);
    await c.app.query(`DELETE FROM "bazaar-vid_user" WHERE id = 'user_4'`);
    expect(await number(c.app, `SELECT count(*) FROM ${E} WHERE user_id = 'user_4'`)).toBe(0);
    const now = [
      await number(c.app, `SELECT count(*) FROM ${E}`),
      await number(c.app, 'SELECT count(*) FROM "Notes"'),
      await number(c.app, 'SELECT count(*) FROM "bazaar-vid_export_analytics"'),
    ];
    expect((await rebuildTables.watch(c.cx.cx, spec, receipt)).findings).toEqual([]);
    await rebuildTables.undo(c.cx.cx, spec, receipt);
    expect(await number(c.app, `SELECT count(*) FROM "Notes" WHERE export_id = ${md5('moved')}::text`)).toBe(1);
    expect([
      await number(c.app, `SELECT count(*) FROM ${E}`),
      await number(c.app, 'SELECT count(*) FROM "Notes"'),
      await number(c.app, 'SELECT count(*) FROM "bazaar-vid_export_analytics"'),
    ]).toEqual([now[0]! + 2, now[1], now[2]! + 6]);
  });

  test('a shadow row that was corrupted, a missing and an extra one are found and named before the swap (T41)', async () => {
    const c = await prepare('small');
    const before = await snapshot(c);
    const shadow = `lossless_new_r0000test.${E}`;
    const slot = new ActingSlot({
      indexed: async () => {
        await c.app.query(`UPDATE ${shadow} SET progress = progress + 1 WHERE render_id = 'r11'`);
        await c.app.query(`DELETE FROM ${shadow} WHERE render_id = 'r12'`);
        await c.app.query(`INSERT INTO ${shadow} (id, user_id, project_id, render_id) VALUES (${md5('ghost')}, 'a', ${md5('b')}, 'ghost')`);
        await c.app.query(`UPDATE ${E} SET progress = 5 WHERE render_id = 'r13'`);
      },
    });
    await expect(rebuildTables.apply(c.cx.cx, spec, slot)).rejects.toThrow(/1 rows missing, 1 rows extra, 1 rows different/);
    await c.app.query(`UPDATE ${E} SET progress = 13 WHERE render_id = 'r13'`);
    await undone(c, slot.last, before);
  });

  test.each([
    ['a disabled and enabled capture trigger (T12)', `ALTER TABLE ${E} DISABLE TRIGGER USER; ALTER TABLE ${E} ENABLE TRIGGER USER`],
    ['a new column (T15)', `ALTER TABLE ${E} ADD COLUMN extra int`],
  ])('%s before the swap makes it refuse', async (_what, sql) => {
    const c = await prepare('small');
    const slot = new ActingSlot({ ready: () => c.app.query(sql) });
    await expect(rebuildTables.apply(c.cx.cx, spec, slot)).rejects.toThrow(/definition of public.bazaar-vid_exports was changed/);
    await rebuildTables.undo(c.cx.cx, spec, slot.last);
    expect(await leftovers(c.app)).toEqual([]);
  });

  test('a key column renamed after the swap lets writes succeed and blocks the rollback; a new column as well', async () => {
    const c = await prepare('small');
    const receipt = await apply(c);
    await c.app.query('ALTER TABLE "Notes" RENAME "No" TO nr');
    await c.app.query(`INSERT INTO "Notes" VALUES (${md5('e9')}, 88, 'x')`);
    expect((await rebuildTables.canUndo(c.cx.cx, spec, receipt)).map((f) => f.code)).toEqual(expect.arrayContaining(['schema-changed', 'key-unreadable']));
    expect((await rebuildTables.watch(c.cx.cx, spec, receipt)).blocking.map((f) => f.code)).toEqual(['schema-changed', 'key-unreadable']);
    await expect(rebuildTables.undo(c.cx.cx, spec, receipt)).rejects.toThrow();
  });

  test('a key of a row that was set aside and is used again blocks the rollback until it is accepted', async () => {
    const c = await prepare('small');
    const receipt = await apply(c);
    await c.app.query(`INSERT INTO ${E} (id, user_id, project_id, render_id) VALUES (${md5('e1')}, 'user_1', ${md5('p1')}, 'again')`);
    const watched = await rebuildTables.watch(c.cx.cx, spec, receipt);
    expect(watched.findings).toEqual([]);
    expect(watched.blocking.map((f) => f.code)).toEqual(['reverse-conflict']);
    await expect(rebuildTables.undo(c.cx.cx, spec, receipt)).rejects.toThrow(/used again/);
    const accepting = await c.again({ allow: ['reverse-conflict'] });
    await rebuildTables.undo(accepting.cx, spec, receipt);
    expect((await c.app.query(`SELECT render_id FROM ${E} WHERE id = ${md5('e1')}::text`)).rows).toEqual([{ render_id: 'again' }]);
  });

  test('killed after any receipt, the step resumes to the end or is undone to the start', async () => {
    let states = 0;
    for (let at = 1; ; at += 1) {
      const c = await prepare('small');
      const before = await snapshot(c);
      const slot = new MemorySlot<RebuildReceipt>(at);
      const error = await rebuildTables.apply(c.cx.cx, spec, slot).catch((e: unknown) => e);
      if (error === undefined) break;
      expect(error).toBeInstanceOf(Killed);
      states += 1;
      const died = slot.last!;
      slot.dieAt = 0;
      const resumed = await c.again();
      if (at % 2 === 0) {
        await rebuildTables.undo(resumed.cx, spec, died);
        expect(await contents(c.app)).toBe(before.rows);
        expect(await dump(cluster, c.database)).toBe(before.dump);
        await rebuildTables.cleanup(resumed.cx, spec, died);
        expect(await leftovers(c.app)).toEqual([]);
        const fresh = new MemorySlot<RebuildReceipt>();
        await rebuildTables.apply(resumed.cx, spec, fresh);
        slot.last = fresh.last;
      } else await rebuildTables.apply(resumed.cx, spec, slot);
      expect(await number(c.app, `SELECT count(*) FROM ${E}`)).toBe(132);
      expect((await rebuildTables.verify(resumed.cx, spec, slot.last!)).findings).toEqual([]);
      await undone(c, slot.last, before);
    }
    expect(states).toBeGreaterThanOrEqual(9);
  });

  test.each(['sent', 'after'] as const)(
    'the connection of the swap is lost when it was "%s": it happened once or not at all, and the step goes on from there (T19)',
    async (moment) => {
      const c = await prepare('small');
      const before = await snapshot(c);
      let ended: Promise<unknown> = Promise.resolve();
      c.cx.onEvent = (event) => {
        if (event.type === 'swap' && event.moment === moment)
          ended = cluster.admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${c.database}' AND application_name LIKE 'lossless%'`);
      };
      const slot = new MemorySlot<RebuildReceipt>();
      await rebuildTables.apply(c.cx.cx, spec, slot).catch(() => undefined);
      await ended;
      const resumed = await c.again();
      await rebuildTables.apply(resumed.cx, spec, slot);
      expect(await number(c.app, `SELECT count(*) FROM ${E}`)).toBe(132);
      expect((await rebuildTables.verify(resumed.cx, spec, slot.last!)).findings).toEqual([]);
      await rebuildTables.undo(resumed.cx, spec, slot.last);
      expect(await contents(c.app)).toBe(before.rows);
      expect(await dump(cluster, c.database)).toBe(before.dump);
    },
  );
});
