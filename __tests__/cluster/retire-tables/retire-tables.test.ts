import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { retireTables, type RetireTables, type RetireTablesReceipt } from '../../../src/steps/retire-tables.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { leftovers, schemaDump } from '../../support/schema-dump.js';
import { Killed, MemorySlot, stepContext, type TestContext, type TestContextOptions } from '../../support/step-context.js';

const schema = `
CREATE TABLE public."bazaar-vid_user" (id varchar(255) PRIMARY KEY, email text);
CREATE TABLE public."bazaar-vid_patch" (id serial PRIMARY KEY, "userId" varchar(255) NOT NULL, note text CHECK (note <> ''), at timestamp DEFAULT now(),
  CONSTRAINT patch_user_fk FOREIGN KEY ("userId") REFERENCES public."bazaar-vid_user" (id) ON DELETE CASCADE DEFERRABLE);
COMMENT ON CONSTRAINT patch_user_fk ON public."bazaar-vid_patch" IS 'whose it is';
CREATE INDEX "patch_userIdx" ON public."bazaar-vid_patch" ("userId");
CREATE STATISTICS public.patch_stats ON "userId", note FROM public."bazaar-vid_patch";
GRANT SELECT ON public."bazaar-vid_patch" TO PUBLIC;
CREATE TABLE public."bazaar-vid_scene_plan" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), patch integer, owner varchar(255));
ALTER TABLE public."bazaar-vid_scene_plan" ADD CONSTRAINT plan_patch_fk FOREIGN KEY (patch) REFERENCES public."bazaar-vid_patch" (id);
INSERT INTO public."bazaar-vid_user" VALUES ('user_2XQLf', 'a@b.c'), ('u2', 'd@e.f');
ALTER TABLE public."bazaar-vid_scene_plan" ADD CONSTRAINT plan_user_fk FOREIGN KEY (owner) REFERENCES public."bazaar-vid_user" (id) NOT VALID;
`;
const both: RetireTables = { tables: ['bazaar-vid_patch', 'bazaar-vid_scene_plan'], 'only-if': 'empty' };

describe('retire-tables', () => {
  let cluster: Cluster;
  let n = 0;
  const open: TestContext[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.create('template');
    const app = await stepContext(cluster.url('template'));
    await app.db.script(schema, { file: 'schema.sql' });
    await app.close();
  });
  afterAll(async () => {
    for (const c of open) await c.close();
    await cluster.remove();
  });
  const fresh = async (extra = '', options: TestContextOptions = {}): Promise<{ name: string; t: TestContext; app: (sql: string) => Promise<void> }> => {
    n += 1;
    const name = `retire_${String(n)}`;
    const url = await cluster.create(name, 'template');
    const t = await stepContext(url, options);
    open.push(t);
    if (extra !== '') await t.db.script(extra, { file: 'extra.sql' });
    return { name, t, app: (sql) => t.db.script(sql, { file: 'app.sql' }) };
  };
  const slot = (dieAt = 0): MemorySlot<RetireTablesReceipt> => new MemorySlot<RetireTablesReceipt>(dieAt);
  const apply = async (t: TestContext, spec: RetireTables, s = slot()): Promise<RetireTablesReceipt> => {
    await retireTables.apply(t.cx, spec, s);
    return s.last!;
  };
  const codes = async (t: TestContext, spec: RetireTables): Promise<readonly string[]> =>
    (await retireTables.preflight(t.cx, spec)).findings.filter((f) => f.severity === 'block').map((f) => `${f.code} ${f.object ?? ''}`);

  test('moves tables out of sight and back so that pg_dump -s is equal, and again, and drops them in the end', async () => {
    const { name, t, app } = await fresh();
    const before = schemaDump(cluster, name);
    expect(await retireTables.preflight(t.cx, both)).toEqual({
      findings: [],
      counts: {},
      done: false,
    });
    const first = await apply(t, both);
    const verified = await retireTables.verify(t.cx, both, first);
    expect(verified.checks.map((c) => c.verdict)).toEqual(['pass', 'pass']);
    expect(schemaDump(cluster, name)).not.toContain('bazaar-vid_patch');
    expect(await retireTables.canUndo(t.cx, both, first)).toEqual([]);
    expect(await retireTables.watch(t.cx, both, first)).toMatchObject({ findings: [], blocking: [], drained: 0, backlog: 0 });
    await retireTables.undo(t.cx, both, first);
    expect(schemaDump(cluster, name)).toBe(before);
    expect(await leftovers(cluster, name)).toEqual([]);
    const second = await apply(t, both);
    expect(await retireTables.canCleanup(t.cx, both, second)).toEqual([]);
    expect(retireTables.retired(both, second)).toEqual([
      { schema: 'lossless_old_r0000test', name: 'bazaar-vid_patch' },
      { schema: 'lossless_old_r0000test', name: 'bazaar-vid_scene_plan' },
    ]);
    await retireTables.cleanup(t.cx, both, second);
    await retireTables.cleanup(t.cx, both, second);
    expect(await leftovers(cluster, name)).toEqual([]);
    await app(`DELETE FROM public."bazaar-vid_user"`);
    expect(t.events.filter((e) => e.type === 'lock-held').every((e) => e.ms < 1000)).toBe(true);
  });

  test('keeps the rows of a retired table when its parent loses the row they refer to, and says so in an undo', async () => {
    const { name, t, app } = await fresh(`INSERT INTO public."bazaar-vid_patch" ("userId", note) VALUES ('u2', 'x'), ('user_2XQLf', 'y')`);
    const spec: RetireTables = { tables: ['bazaar-vid_patch', 'bazaar-vid_scene_plan'] };
    const receipt = await apply(t, spec);
    await app(`DELETE FROM public."bazaar-vid_user" WHERE id = 'u2'`);
    await app(`UPDATE public."bazaar-vid_user" SET id = 'user_3' WHERE id = 'user_2XQLf'`);
    expect((await retireTables.watch(t.cx, spec, receipt)).tables.map((a) => a.after)).toEqual([2, 0]);
    await retireTables.undo(t.cx, spec, receipt);
    expect((await cluster.admin('SELECT count(*)::int AS n FROM public."bazaar-vid_patch"', name)).rows).toEqual([{ n: 2 }]);
    expect(t.events.flatMap((e) => (e.type === 'found' ? [e.finding.code] : []))).toEqual(['key-left-unvalidated']);
  });

  test('answers a write to a retired table with 40001', async () => {
    const { t, app } = await fresh();
    await apply(t, both);
    for (const sql of [
      `INSERT INTO lossless_old_r0000test."bazaar-vid_patch" ("userId") VALUES ('u2')`,
      'TRUNCATE lossless_old_r0000test."bazaar-vid_scene_plan"',
      'DELETE FROM lossless_old_r0000test."bazaar-vid_scene_plan"',
    ]) {
      await expect(app(sql)).rejects.toMatchObject({ sqlstate: '40001' });
    }
  });

  test('refuses a table with rows, also when they came between preflight and the lock', async () => {
    const { name, t, app } = await fresh();
    const before = schemaDump(cluster, name);
    await app(`INSERT INTO public."bazaar-vid_scene_plan" DEFAULT VALUES`);
    expect(await codes(t, both)).toEqual(['table-not-empty public.bazaar-vid_scene_plan']);
    const s = slot();
    await expect(retireTables.apply(t.cx, both, s)).rejects.toMatchObject({
      fault: 'user',
      message: expect.stringContaining('public."bazaar-vid_scene_plan" was empty before'),
    });
    await retireTables.undo(t.cx, both, s.last);
    expect(schemaDump(cluster, name)).toBe(before);
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('refuses by name whatever outside depends on the tables', async () => {
    const { t } = await fresh(`
      CREATE TABLE public.child (id int PRIMARY KEY, patch int CONSTRAINT child_patch_fk REFERENCES public."bazaar-vid_patch" (id), n int DEFAULT nextval('public."bazaar-vid_patch_id_seq"'));
      CREATE VIEW public."A view" AS SELECT id FROM public."bazaar-vid_patch";
      CREATE MATERIALIZED VIEW public.mat AS SELECT id FROM public."bazaar-vid_scene_plan";
      CREATE FUNCTION public.atomic() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM public."bazaar-vid_patch"; END;
      CREATE FUNCTION public.rowtype(r public."bazaar-vid_patch") RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION public.stringy() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint /* "bazaar-vid_patch" */';
      CREATE POLICY peek ON public.child USING (EXISTS (SELECT FROM public."bazaar-vid_patch"));
      CREATE RULE copy AS ON INSERT TO public.child DO ALSO INSERT INTO public."bazaar-vid_patch" ("userId") VALUES ('u2');
      CREATE TABLE public.heir () INHERITS (public."bazaar-vid_scene_plan");`);
    const found = await codes(t, both);
    expect(found).toEqual(
      expect.arrayContaining([
        'referenced-from-outside child_patch_fk on public.child',
        'has-dependents public."A view"',
        'has-dependents public.mat',
        'has-dependents public.atomic()',
        'has-dependents public.rowtype(public."bazaar-vid_patch")',
        'has-dependents peek on public.child',
        'has-dependents copy on public.child',
        'has-dependents for public.child.n',
        'table-cannot-move public.bazaar-vid_scene_plan',
        'has-dependents public.heir',
      ]),
    );
    expect((await retireTables.preflight(t.cx, both)).findings.filter((f) => f.code === 'mentioned-in-function').map((f) => f.object)).toEqual([
      'public.stringy()',
    ]);
  });

  test('refuses a published table, a foreign owner, a view and a table that is not there', async () => {
    const { name, t } = await fresh('CREATE VIEW public.v AS SELECT 1');
    await cluster.admin('CREATE PUBLICATION p FOR TABLE public."bazaar-vid_patch"; CREATE TABLE public.foreign_owned ()', name);
    expect(await codes(t, { tables: ['bazaar-vid_patch'] })).toEqual([
      'table-cannot-move public.bazaar-vid_patch',
      'referenced-from-outside plan_patch_fk on public."bazaar-vid_scene_plan"',
    ]);
    expect(await codes(t, { tables: ['foreign_owned', 'v', 'nowhere'] })).toEqual([
      'not-owner public.foreign_owned',
      'table-cannot-move public.v',
      'table-not-found public.nowhere',
    ]);
  });

  test('an apply that died after any receipt is resumed to the end, or undone to the start', async () => {
    for (const dieAt of [1, 2]) {
      for (const then of ['resume', 'undo'] as const) {
        const { name, t } = await fresh();
        const before = schemaDump(cluster, name);
        const s = slot(dieAt);
        await expect(retireTables.apply(t.cx, both, s)).rejects.toBeInstanceOf(Killed);
        if (then === 'resume') {
          s.dieAt = 0;
          await retireTables.apply(t.cx, both, s);
          expect((await retireTables.verify(t.cx, both, s.last!)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass']);
        }
        await retireTables.undo(t.cx, both, s.last);
        await retireTables.undo(t.cx, both, s.last);
        expect(schemaDump(cluster, name)).toBe(before);
        expect(await leftovers(cluster, name)).toEqual([]);
      }
    }
  });

  test('says what stops an undo: a taken name, a parent that is gone', async () => {
    const { t, app } = await fresh();
    const receipt = await apply(t, both);
    await app(
      'CREATE TABLE public."bazaar-vid_patch" (id int); CREATE TABLE public.x (id int CONSTRAINT "bazaar-vid_scene_plan_pkey" PRIMARY KEY); DROP TABLE public."bazaar-vid_user"',
    );
    expect((await retireTables.canUndo(t.cx, both, receipt)).map((f) => `${f.code} ${f.object ?? ''}`)).toEqual([
      'name-taken public.bazaar-vid_patch',
      'parent-gone patch_user_fk',
      'name-taken public.bazaar-vid_scene_plan_pkey',
      'parent-gone plan_user_fk',
    ]);
  });

  test('watch notices a missing fence; cleanup is refused while something depends on, or reads, the retired table', async () => {
    const { name, t, app } = await fresh();
    const receipt = await apply(t, both);
    await app(`ALTER TABLE lossless_old_r0000test."bazaar-vid_patch" DISABLE TRIGGER ALL`).catch(() =>
      app(`ALTER TABLE lossless_old_r0000test."bazaar-vid_patch" DISABLE TRIGGER USER`),
    );
    expect((await retireTables.watch(t.cx, both, receipt)).findings.map((f) => f.code)).toEqual(['fence-missing']);
    await app('CREATE VIEW public.late AS SELECT * FROM lossless_old_r0000test."bazaar-vid_patch"');
    expect((await retireTables.canCleanup(t.cx, both, receipt)).map((f) => f.code)).toEqual(['has-dependents']);
    await cluster.admin('SELECT count(*) FROM lossless_old_r0000test."bazaar-vid_scene_plan"', name);
    for (let i = 0; i < 50; i += 1) {
      if ((await retireTables.canCleanup(t.cx, both, receipt)).some((f) => f.code === 'retired-in-use')) break;
      await new Promise((r) => setTimeout(r, 100));
    }
    expect((await retireTables.canCleanup(t.cx, both, receipt)).map((f) => f.code)).toEqual(['has-dependents', 'retired-in-use']);
  });

  test('a table that a run of the journal retired is done; one whose absence nothing proves is not', async () => {
    const { t, app } = await fresh(
      'CREATE SCHEMA lossless; CREATE TABLE lossless.run (id text); CREATE TABLE lossless.step (run text, state text, receipt jsonb, ended_at timestamptz)',
    );
    const receipt = await apply(t, both);
    await app(`INSERT INTO lossless.step VALUES ('r0000test', 'verified', '${JSON.stringify(receipt)}', now())`);
    expect(await retireTables.preflight(t.cx, both)).toMatchObject({ done: true, findings: [{ code: 'already-done' }, { code: 'already-done' }] });
    const again = slot();
    await retireTables.apply(t.cx, both, again);
    expect(again.last).toMatchObject({ moves: [], retired: [] });
    await app(`UPDATE lossless.step SET state = 'undone'`);
    expect((await retireTables.preflight(t.cx, both)).findings.map((f) => f.code)).toEqual(['table-not-found', 'table-not-found']);
  });

  test('refuses, under the lock, what came to depend on a table after preflight, and gives up naming who holds it', async () => {
    const { name, t, app } = await fresh('', { patienceMs: 1500 });
    await app('CREATE VIEW public.late AS SELECT id FROM public."bazaar-vid_patch"');
    const before = schemaDump(cluster, name);
    const s = slot();
    await expect(retireTables.apply(t.cx, both, s)).rejects.toMatchObject({ fault: 'user', message: expect.stringContaining('view public.late') });
    await retireTables.undo(t.cx, both, s.last);
    expect(schemaDump(cluster, name)).toBe(before);
    await app('DROP VIEW public.late');
    const holder = await stepContext(cluster.url(name));
    open.push(holder);
    const held = holder.db.transaction(
      async (tx) => {
        await tx.script('LOCK TABLE public."bazaar-vid_user" IN ROW EXCLUSIVE MODE; SELECT pg_sleep(6)', { file: 'holder.sql' });
      },
      { retry: false },
    );
    await new Promise((r) => setTimeout(r, 300));
    await expect(retireTables.apply(t.cx, both, slot())).rejects.toMatchObject({
      name: 'LockNotGranted',
      blockers: [expect.stringContaining('lossless r0000test')],
    });
    await held;
    await retireTables.undo(t.cx, both, s.last);
    expect(await leftovers(cluster, name)).toEqual([]);
  });
});
