import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { RebuildReceipt } from '../../../src/steps/rebuild-tables/receipt.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';
import { approved, connectTo, dump, leftovers, number, rows, schema, spec } from './fixture.js';
import { startWriters } from './writers.js';

let cluster: Cluster;
let url: string;
let app: pg.Client;
let cx: TestContext;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.admin('CREATE ROLE reporting; CREATE ROLE nosy');
  url = await cluster.create('writers');
  app = await connectTo(url);
  await app.query(schema);
  await app.query(rows(20_000));
  cx = await stepContext(url, { approved });
});
afterAll(async () => {
  await cx.close();
  await app.end();
  await cluster.remove();
});

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

describe('rebuild-tables under writers', () => {
  test('loses no acknowledged write through swap and rollback, twice, and stalls nobody longer than max-lock (T7, T9, T16, T17, T23, T40)', async () => {
    const before = await dump(cluster, 'writers');
    const writers = startWriters(url, 8);
    for (const round of [1, 2]) {
      await pause(500);
      const slot = new MemorySlot<RebuildReceipt>();
      await rebuildTables.apply(cx.cx, spec, slot);
      await pause(1500);
      const watched = await rebuildTables.watch(cx.cx, spec, slot.last!);
      expect(watched.findings).toEqual([]);
      expect(watched.drained).toBeGreaterThan(10);
      await pause(500);
      expect((await rebuildTables.verify(cx.cx, spec, slot.last!)).findings).toEqual([]);
      await rebuildTables.undo(cx.cx, spec, slot.last);
      await pause(300);
      if (round === 2) await writers.stop();
      expect(await writers.lost(app).then((l) => (round === 2 ? l : []))).toEqual([]);
      await rebuildTables.cleanup(cx.cx, spec, slot.last!);
    }
    expect(await leftovers(app)).toEqual([]);
    expect(await dump(cluster, 'writers')).toBe(before);
    expect(await number(app, `SELECT count(*) FROM "bazaar-vid_exports" WHERE render_id LIKE 'r%'`)).toBe(20_000);
    const held = cx.events.flatMap((e) => (e.type === 'lock-held' ? [e.ms] : []));
    console.log({ acknowledged: writers.acknowledged, errors: writers.errors, longestMs: writers.longestMs, held });
    expect(Object.keys(writers.errors).filter((code) => !['40001', '40P01'].includes(code))).toEqual([]);
    expect(Math.max(...held)).toBeLessThanOrEqual(1000);
    expect(writers.acknowledged).toBeGreaterThan(500);
  });

  test('forward under writers: what was acknowledged is in the new tables', async () => {
    const writers = startWriters(url, 8, 'x');
    const slot = new MemorySlot<RebuildReceipt>();
    await pause(300);
    await rebuildTables.apply(cx.cx, spec, slot);
    await pause(300);
    await writers.stop();
    expect(await writers.lost(app)).toEqual([]);
    expect(await number(app, `SELECT count(*) FROM "bazaar-vid_exports" WHERE render_id LIKE 'r%'`)).toBe(19_998);
    await rebuildTables.watch(cx.cx, spec, slot.last!);
    await rebuildTables.cleanup(cx.cx, spec, slot.last!);
    expect(await leftovers(app)).toEqual([]);
  });
});
