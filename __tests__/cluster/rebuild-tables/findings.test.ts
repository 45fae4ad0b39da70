import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { rebuildSpec } from '../../../src/steps/rebuild-tables/spec.js';
import { rebuildTables } from '../../../src/steps/rebuild-tables/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

/** What only a neighbour or a later moment provokes; everything else that preflight finds has a case in __tests__/cases/rebuild-tables. */
describe('rebuild-tables finds', () => {
  let cluster: Cluster;
  const open: TestContext[] = [];
  beforeAll(async () => {
    cluster = await startCluster(['autovacuum_naptime=1s']);
  });
  afterAll(async () => {
    for (const t of open) await t.close();
    await cluster.remove();
  });
  const spec = rebuildSpec.parse({ notes: { columns: { no: { type: 'text', back: 'no::int' } } } });
  const fresh = async (name: string): Promise<TestContext> => {
    const t = await stepContext(await cluster.create(name));
    open.push(t);
    await t.db.script('CREATE TABLE public.notes (id int PRIMARY KEY, no int); INSERT INTO public.notes SELECT i, i FROM generate_series(1, 20) i', {
      file: 'before.sql',
    });
    return t;
  };
  const rebuilt = async (t: TestContext): Promise<NonNullable<MemorySlot<Parameters<typeof rebuildTables.verify>[2]>['last']>> => {
    const slot = new MemorySlot<Parameters<typeof rebuildTables.verify>[2]>();
    await rebuildTables.apply(t.cx, spec, slot);
    return slot.last!;
  };
  const preflight = async (t: TestContext): Promise<readonly string[]> =>
    (await rebuildTables.preflight(t.cx, spec)).findings.map((f) => `${f.severity} ${f.code}`);

  test('a pg_dump and a transaction of more than five minutes, which the swap would have to wait for', async () => {
    const t = await fresh('dumped');
    expect(await preflight(t)).not.toContain('warn long-transactions');
    const dump = new pg.Client({ connectionString: cluster.url('dumped'), application_name: 'pg_dump' });
    await dump.connect();
    expect(await preflight(t)).toContain('warn long-transactions');
    await dump.end();
  });

  test('an autovacuum against wraparound, which gives way to nobody', async () => {
    const t = await fresh('wrapped');
    // pages enough for a slow vacuum to be seen at work, and more transaction ids than the table may grow old
    await t.db.script(
      `DROP TABLE public.notes;
       CREATE TABLE public.notes (id int PRIMARY KEY, no int, pad text) WITH (autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
       INSERT INTO public.notes SELECT i, i, repeat('x', 500) FROM generate_series(1, 2000) i`,
      { file: 'before.sql' },
    );
    await t.db.script(
      'DO $$ BEGIN FOR i IN 1..110000 LOOP BEGIN INSERT INTO public.notes VALUES (-i); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$',
      { file: 'burn.sql' },
    );
    let found: readonly string[] = [];
    for (let i = 0; i < 60 && !found.includes('block vacuum-in-the-way'); i += 1) {
      found = await preflight(t);
      await new Promise((r) => setTimeout(r, 500));
    }
    expect(found).toContain('block vacuum-in-the-way');
  });

  test('a row written since the swap that has no old form, and blocks the rollback until it is corrected', async () => {
    const t = await fresh('unfit');
    const receipt = await rebuilt(t);
    await t.db.script("INSERT INTO public.notes VALUES (100, 'many')", { file: 'app.sql' });
    const watched = await rebuildTables.watch(t.cx, spec, receipt);
    expect([...watched.findings, ...watched.blocking].map((f) => f.code)).toContain('not-convertible-back');
    expect((await rebuildTables.canUndo(t.cx, spec, receipt)).map((f) => f.code)).toContain('not-convertible-back');
    await t.db.script("UPDATE public.notes SET no = '7' WHERE id = 100", { file: 'app.sql' });
    expect((await rebuildTables.watch(t.cx, spec, receipt)).blocking).toEqual([]);
    expect(await rebuildTables.canUndo(t.cx, spec, receipt)).toEqual([]);
  });

  test('a retired row that differs from its new one although nothing wrote to it, by its key', async () => {
    const t = await fresh('rotten');
    const receipt = await rebuilt(t);
    await cluster.admin(`SET lossless.apply = 'on'; UPDATE lossless_old_${t.cx.run}.notes SET no = 99 WHERE id = 5`, 'rotten');
    const watched = await rebuildTables.watch(t.cx, spec, receipt);
    const differs = watched.findings.filter((f) => f.code === 'rows-differ');
    expect(differs.map((f) => [f.severity, f.count])).toEqual([['block', 1]]);
    expect(JSON.stringify(differs[0]?.keys)).toContain('5');
  });
});
