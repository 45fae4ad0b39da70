import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { RebuildReceipt } from '../../../src/steps/rebuild-tables/receipt.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';
import { approved, connectTo, contents, direct, dump, leftovers, number, rows, schema, spec } from './fixture.js';

let cluster: Cluster;
let url: string;
let app: pg.Client;
let cx: TestContext;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.admin('CREATE ROLE reporting; CREATE ROLE nosy');
  url = await cluster.create('journey');
  app = await connectTo(url);
  await app.query(schema);
  await app.query(rows(134));
  cx = await stepContext(url, { approved });
});
afterAll(async () => {
  await cx.close();
  await app.end();
  await cluster.remove();
});

describe('rebuild-tables, the whole journey on the shapes of the scenario', () => {
  test('preflight counts what will be set aside, children of orphans included, and finds nothing in the way', async () => {
    const found = await rebuildTables.preflight(cx.cx, spec);
    expect(found.findings.filter((f) => f.severity === 'block')).toEqual([]);
    expect(found.done).toBe(false);
    expect(found.counts).toEqual(approved);
  });

  test('do, undo, do and cleanup: 132 + 2 and 373 + 6, everything back as it was, and nothing of ours left (T33, T34, T35, T37, T42)', async () => {
    const before = { dump: await dump(cluster, 'journey'), rows: await contents(app) };
    const first = new MemorySlot<RebuildReceipt>();
    await rebuildTables.apply(cx.cx, spec, first);
    expect(await number(app, 'SELECT count(*) FROM "bazaar-vid_exports"')).toBe(132);
    expect(await number(app, 'SELECT count(*) FROM "bazaar-vid_export_analytics"')).toBe(373);
    const receipt = first.last!;
    const verified = await rebuildTables.verify(cx.cx, spec, receipt);
    expect(verified.findings).toEqual([]);
    expect(verified.checks.filter((c) => c.verdict !== 'pass')).toEqual([]);
    expect(verified.tables.map((t) => [t.table, t.before, t.after, t.quarantined, t.proof])).toEqual([
      ['public.bazaar-vid_exports', 134, 132, 2, 'per-key'],
      ['public.bazaar-vid_export_analytics', 379, 373, 6, 'per-key'],
      ['public.Notes', 134, 134, 0, 'per-key'],
    ]);
    expect(await rebuildTables.canUndo(cx.cx, spec, receipt)).toEqual([]);
    await rebuildTables.undo(cx.cx, spec, receipt);
    expect(await contents(app)).toBe(before.rows);
    expect(await dump(cluster, 'journey')).toBe(before.dump);
    await rebuildTables.undo(cx.cx, spec, receipt);
    expect(await dump(cluster, 'journey')).toBe(before.dump);
    await app.query(`INSERT INTO "bazaar-vid_exports" (user_id, project_id, render_id) VALUES ('user_1', md5('p1')::uuid::text, 'after')`);
    await app.query(`DELETE FROM "bazaar-vid_exports" WHERE render_id = 'after'`);
    await rebuildTables.cleanup(cx.cx, spec, receipt);
    expect(await leftovers(app)).toEqual([]);

    const second = new MemorySlot<RebuildReceipt>();
    await rebuildTables.apply(cx.cx, spec, second);
    const watched = await rebuildTables.watch(cx.cx, spec, second.last!);
    expect(watched).toMatchObject({ findings: [], blocking: [], backlog: 0 });
    expect(await rebuildTables.canCleanup(cx.cx, spec, second.last!)).toEqual([]);
    await rebuildTables.cleanup(cx.cx, spec, second.last!);
    await rebuildTables.cleanup(cx.cx, spec, second.last!);
    expect(await leftovers(app)).toEqual([]);
    await cluster.create('direct');
    const plain = await connectTo(cluster.url('direct'));
    await plain.query(schema + direct);
    await plain.end();
    expect(await dump(cluster, 'journey')).toBe(await dump(cluster, 'direct'));
    expect((await rebuildTables.preflight(cx.cx, spec)).done).toBe(true);
  });
});
