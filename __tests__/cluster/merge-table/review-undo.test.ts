import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { schema } from '../../../src/steps/merge-table/spec.js';
import { mergeTable, type MergeTableReceipt } from '../../../src/steps/merge-table/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';
import { connectTo } from '../rebuild-tables/fixture.js';

/** What the way back of a merge may not lose. */
describe('undo of a merge', () => {
  let cluster: Cluster;
  let n = 0;
  const open: { end(): Promise<void> }[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    for (const c of open) await c.end();
    await cluster.remove();
  });
  const spec = schema.parse({ from: 'a', into: 'b', key: ['id'] });
  const merged = async (ddl: string): Promise<{ app: pg.Client; t: TestContext; receipt: MergeTableReceipt; rows: (table: string) => Promise<string[]> }> => {
    n += 1;
    const url = await cluster.create(`undo${String(n)}`);
    const app = await connectTo(url);
    open.push(app);
    await app.query(ddl);
    const t = await stepContext(url, { patienceMs: 3000 });
    open.push({ end: () => t.close() });
    expect((await mergeTable.preflight(t.cx, spec)).findings.filter((f) => f.severity === 'block')).toEqual([]);
    const slot = new MemorySlot<MergeTableReceipt>();
    await mergeTable.apply(t.cx, spec, slot);
    const rows = async (table: string): Promise<string[]> =>
      (await app.query<{ t: string }>(`SELECT t::text AS t FROM ${table} t ORDER BY 1`)).rows.map((r) => r.t);
    return { app, t, receipt: slot.last!, rows };
  };
  const blocking = async (t: TestContext, r: MergeTableReceipt): Promise<string[]> =>
    (await mergeTable.canUndo(t.cx, spec, r)).filter((f) => f.severity === 'block').map((f) => f.code);

  test('a value that the target holds less exactly comes back as it was when another column of its row was changed', async () => {
    const { app, t, receipt, rows } = await merged(
      'CREATE TABLE a (id int PRIMARY KEY, ms numeric, note text); CREATE TABLE b (id int PRIMARY KEY, ms integer, note text); INSERT INTO a VALUES (1, 1.4, NULL), (2, 2.4, NULL)',
    );
    await app.query("UPDATE b SET note = 'seen' WHERE id = 1; UPDATE b SET ms = 7 WHERE id = 2");
    expect((await mergeTable.watch(t.cx, spec, receipt)).findings).toEqual([]);
    await mergeTable.undo(t.cx, spec, receipt);
    expect(await rows('a')).toEqual(['(1,1.4,seen)', '(2,7,)']);
  });

  test('a column added to the target since the merge blocks the undo: merged rows would leave with what is in it', async () => {
    const { app, t, receipt, rows } = await merged(
      'CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE b (id int PRIMARY KEY, note text); INSERT INTO a VALUES (1, NULL)',
    );
    await app.query("ALTER TABLE b ADD COLUMN late text; UPDATE b SET late = 'kept'");
    expect(await blocking(t, receipt)).toContain('schema-changed');
    await expect(mergeTable.undo(t.cx, spec, receipt)).rejects.toThrow(/changed/);
    expect(await rows('b')).toEqual(['(1,,kept)']);
    await app.query('ALTER TABLE b DROP COLUMN late');
    await mergeTable.undo(t.cx, spec, receipt);
    expect(await rows('a')).toEqual(['(1,)']);
  });

  test('capture triggers of the target that were switched off for a while block the undo', async () => {
    const { app, t, receipt, rows } = await merged(
      'CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE b (id int PRIMARY KEY, note text); INSERT INTO a VALUES (1, NULL)',
    );
    expect(await blocking(t, receipt)).toEqual([]);
    await app.query("ALTER TABLE b DISABLE TRIGGER USER; UPDATE b SET note = 'unseen'; ALTER TABLE b ENABLE TRIGGER USER");
    expect(await blocking(t, receipt)).toContain('schema-changed');
    await expect(mergeTable.undo(t.cx, spec, receipt)).rejects.toThrow(/changed|switched off/);
    expect(await rows('b')).toEqual(['(1,unseen)']);
  });
});
