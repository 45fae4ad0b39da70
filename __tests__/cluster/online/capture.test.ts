import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { captureOf, createCapture, installCapture, removeCapture } from '../../../src/online/capture.js';
import { backlog, createDrain, drainUntil } from '../../../src/online/drain.js';
import { fromCatalog } from '../../../src/pg/render.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { stepContext, type TestContext } from '../../support/step-context.js';

let cluster: Cluster;
let cx: TestContext;
let app: pg.Client;
const table = { schema: 'public', name: 'Mixed-case' };
const key = [
  { name: 'Id', type: fromCatalog('text COLLATE pg_catalog."C"') },
  { name: 'no', type: fromCatalog('integer') },
];
const capture = captureOf('r1', 1, table, key);
const log = async (): Promise<string[]> =>
  (await app.query<{ t: string }>("SELECT coalesce(k1, '-') || ' ' || coalesce(k2::text, '-') || ' ' || op::text AS t FROM lossless.log_r1_1")).rows.map(
    (r) => r.t,
  );

beforeAll(async () => {
  cluster = await startCluster();
  const url = await cluster.create('capture');
  app = new pg.Client({ connectionString: url });
  await app.connect();
  await app.query('CREATE TABLE "Mixed-case" ("Id" text COLLATE "C", no int, v text, PRIMARY KEY ("Id", no)); CREATE TABLE copy (LIKE "Mixed-case")');
  cx = await stepContext(url, { run: 'r1' });
  await createCapture(cx.db, capture);
  await installCapture(cx.db, capture);
  await createDrain(
    cx.db,
    capture,
    { schema: 'lossless', name: 'drain_r1_1' },
    fromCatalog(`DELETE FROM public.copy c USING unnest(ks1, ks2) x(a, b) WHERE c."Id" = x.a AND c.no = x.b OR truncated;
      INSERT INTO public.copy SELECT t.* FROM public."Mixed-case" t WHERE truncated OR EXISTS (SELECT FROM unnest(ks1, ks2) x(a, b) WHERE t."Id" = x.a AND t.no = x.b);`),
  );
});
afterAll(async () => {
  await cx.close();
  await app.end();
  await cluster.remove();
});

describe('capture', () => {
  test('logs the key of every kind of write, both keys of a key change, and nothing of a rolled back savepoint (T9)', async () => {
    await app.query(`INSERT INTO "Mixed-case" VALUES ('a', 1, 'x'), ('b', 2, 'y')`);
    await app.query(`INSERT INTO "Mixed-case" VALUES ('a', 1, 'x') ON CONFLICT ("Id", no) DO UPDATE SET v = 'z'`);
    await app.query(`INSERT INTO "Mixed-case" VALUES ('a', 1, 'x') ON CONFLICT DO NOTHING`);
    await app.query(`UPDATE "Mixed-case" SET no = 3 WHERE "Id" = 'b'`);
    await app.query(`BEGIN; SAVEPOINT s; DELETE FROM "Mixed-case"; ROLLBACK TO s; COMMIT`);
    await app.query(`DELETE FROM "Mixed-case" WHERE "Id" = 'a'`);
    expect(await log()).toEqual(['a 1 U', 'b 2 U', 'a 1 U', 'b 3 U', 'b 2 U', 'a 1 D']);
  });

  test('a drain takes exactly the rows it read and carries the state', async () => {
    expect(await drainUntil(cx.db, { fn: { schema: 'lossless', name: 'drain_r1_1' }, log: capture.log, locks: [table] }, { batch: 4 })).toBe(6);
    expect((await app.query('SELECT "Id", no, v FROM copy')).rows).toEqual([{ Id: 'b', no: 3, v: 'y' }]);
    expect(await backlog(cx.db, capture.log)).toEqual({ waiting: 0, unreadable: false, truncated: false });
  });

  test('TRUNCATE leaves a marker that makes the drain start over (T11)', async () => {
    await app.query(`TRUNCATE "Mixed-case"; INSERT INTO "Mixed-case" VALUES ('n', 1, 'x')`);
    expect((await backlog(cx.db, capture.log)).truncated).toBe(true);
    await drainUntil(cx.db, { fn: { schema: 'lossless', name: 'drain_r1_1' }, log: capture.log, locks: [table] });
    expect((await app.query('SELECT "Id" FROM copy')).rows).toEqual([{ Id: 'n' }]);
  });

  test('values that two rows exchanged are carried although one batch holds only one of them (T16)', async () => {
    await app.query('ALTER TABLE copy ADD UNIQUE (v)');
    await app.query(`INSERT INTO "Mixed-case" VALUES ('s', 1, 'one'), ('s', 2, 'two')`);
    const drain = { fn: { schema: 'lossless', name: 'drain_r1_1' }, log: capture.log, locks: [table] };
    await drainUntil(cx.db, drain);
    await app.query(
      `UPDATE "Mixed-case" SET v = 'three' WHERE no = 1 AND "Id" = 's'; UPDATE "Mixed-case" SET v = 'one' WHERE no = 2; UPDATE "Mixed-case" SET v = 'two' WHERE no = 1 AND "Id" = 's'`,
    );
    await drainUntil(cx.db, drain, { batch: 1 });
    expect((await app.query(`SELECT no, v FROM copy WHERE "Id" = 's' ORDER BY no`)).rows).toEqual([
      { no: 1, v: 'two' },
      { no: 2, v: 'one' },
    ]);
  });

  test('writes with lossless.apply on are not logged', async () => {
    await app.query(`BEGIN; SET LOCAL lossless.apply = 'on'; UPDATE "Mixed-case" SET v = 'q'; COMMIT`);
    expect(await log()).toEqual([]);
  });

  test('a key column that was renamed makes a marker, not an error, and a drain leaves it there', async () => {
    await app.query('ALTER TABLE "Mixed-case" RENAME no TO nr');
    await app.query(`INSERT INTO "Mixed-case" VALUES ('m', 1, 'x')`);
    expect(await log()).toEqual(['- - X']);
    await app.query('ALTER TABLE "Mixed-case" RENAME nr TO no');
    await drainUntil(cx.db, { fn: { schema: 'lossless', name: 'drain_r1_1' }, log: capture.log, locks: [table] });
    expect(await log()).toEqual(['- - X']);
  });

  test('removal leaves neither trigger nor function nor log, and may be repeated', async () => {
    await removeCapture(cx.db, capture, true);
    await removeCapture(cx.db, capture, true);
    await app.query(`INSERT INTO "Mixed-case" VALUES ('o', 1, 'x')`);
    expect((await app.query(`SELECT FROM pg_trigger WHERE tgname LIKE '%lossless%'`)).rowCount).toBe(0);
    expect((await app.query(`SELECT FROM pg_class WHERE relname LIKE 'log_r1%'`)).rowCount).toBe(0);
  });
});
