import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { retireTables } from '../../../src/steps/retire-tables.js';
import { sql } from '../../../src/steps/sql.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { filesOf } from '../../support/plan-files.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

/** What somebody did to a step's work afterwards. */
describe('after a step', () => {
  let cluster: Cluster;
  let t: TestContext;
  beforeAll(async () => {
    cluster = await startCluster();
    t = await stepContext(await cluster.create('after'));
    await t.db.script('CREATE TABLE public.notes (id int PRIMARY KEY); INSERT INTO public.notes SELECT generate_series(1, 3)', { file: 'before.sql' });
  });
  afterAll(async () => {
    await t.close();
    await cluster.remove();
  });

  test('a SQL file that is not marked as committed in this database is missed by verify', async () => {
    const cx = { ...t.cx, files: filesOf({ 'a.sql': 'CREATE TABLE public.made (id int)', 'b.sql': 'DROP TABLE public.made' }) };
    const spec = { file: 'a.sql', undo: 'b.sql' };
    const slot = new MemorySlot<Parameters<typeof sql.verify>[2]>();
    await sql.apply(cx, spec, slot);
    expect((await sql.verify(cx, spec, slot.last!)).findings).toEqual([]);
    await t.db.script('DELETE FROM lossless.done', { file: 'somebody.sql' });
    expect((await sql.verify(cx, spec, slot.last!)).findings.map((f) => [f.severity, f.code])).toEqual([['block', 'step-not-there']]);
  });

  test('a retired table that has other rows than when it was retired makes the watch red', async () => {
    const spec = { tables: ['notes'] };
    const slot = new MemorySlot<Parameters<typeof retireTables.verify>[2]>();
    await retireTables.apply(t.cx, spec, slot);
    expect((await retireTables.watch(t.cx, spec, slot.last!)).findings).toEqual([]);
    await cluster.admin(`SET lossless.apply = 'on'; DELETE FROM lossless_old_${t.cx.run}.notes WHERE id = 3`, 'after');
    const { findings } = await retireTables.watch(t.cx, spec, slot.last!);
    expect(findings.map((f) => [f.severity, f.code, f.count])).toEqual([['block', 'retired-rows-changed', 2]]);
  });
});
