import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { retireSchemas, type RetireSchemas, type RetireSchemasReceipt } from '../../../src/steps/retire-schemas.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { leftovers, schemaDump } from '../../support/schema-dump.js';
import { Killed, MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

const schema = `
CREATE SCHEMA auth; CREATE SCHEMA neon_auth; CREATE SCHEMA pgrst;
COMMENT ON SCHEMA auth IS 'who is who';
GRANT USAGE ON SCHEMA auth TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA auth GRANT SELECT ON TABLES TO PUBLIC;
CREATE FUNCTION auth.session() RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT current_setting('request.jwt', true)::jsonb $$;
CREATE FUNCTION auth.user_id() RETURNS text LANGUAGE sql STABLE AS $$ SELECT auth.session() ->> 'sub' $$;
CREATE FUNCTION pgrst.pre_config() RETURNS void LANGUAGE sql AS 'SELECT 1';
CREATE TABLE public."bazaar-vid_user" (id varchar(255) PRIMARY KEY);
CREATE TABLE neon_auth.users_sync (raw_json jsonb NOT NULL, id text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL PRIMARY KEY, owner varchar(255),
  CONSTRAINT sync_owner_fk FOREIGN KEY (owner) REFERENCES public."bazaar-vid_user" (id) ON DELETE CASCADE);
COMMENT ON CONSTRAINT sync_owner_fk ON neon_auth.users_sync IS 'mine';
CREATE VIEW neon_auth.recent AS SELECT id FROM neon_auth.users_sync;
INSERT INTO public."bazaar-vid_user" VALUES ('u1');
INSERT INTO neon_auth.users_sync (raw_json, owner) VALUES ('{"id": "1"}', 'u1'), ('{"id": "2"}', NULL);
`;
const all: RetireSchemas = ['auth', 'neon_auth', 'pgrst'];

describe('retire-schemas', () => {
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
  const fresh = async (): Promise<{ name: string; t: TestContext; app: (sql: string) => Promise<void> }> => {
    n += 1;
    const name = `retire_${String(n)}`;
    const t = await stepContext(await cluster.create(name, 'template'));
    open.push(t);
    return { name, t, app: (sql) => t.db.script(sql, { file: 'app.sql' }) };
  };
  const slot = (dieAt = 0): MemorySlot<RetireSchemasReceipt> => new MemorySlot<RetireSchemasReceipt>(dieAt);
  const apply = async (t: TestContext, spec: RetireSchemas): Promise<RetireSchemasReceipt> => {
    const s = slot();
    await retireSchemas.apply(t.cx, spec, s);
    return s.last!;
  };
  const codes = async (t: TestContext, spec: RetireSchemas): Promise<readonly string[]> =>
    (await retireSchemas.preflight(t.cx, spec)).findings.filter((f) => f.severity === 'block').map((f) => `${f.code} ${f.object ?? ''}`);

  test('moves schemas out of sight and back so that pg_dump -s is equal, and again, and drops them in the end', async () => {
    const { name, t, app } = await fresh();
    const before = schemaDump(cluster, name);
    const pre = await retireSchemas.preflight(t.cx, all);
    expect(pre.findings.map((f) => `${f.code} ${f.object ?? ''}`)).toEqual(['mentioned-in-function auth.user_id()', 'rows-retired neon_auth.users_sync']);
    expect(pre.counts).toEqual({});
    const first = await apply(t, all);
    expect((await retireSchemas.verify(t.cx, all, first)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass']);
    expect(schemaDump(cluster, name)).not.toMatch(/auth|pgrst/);
    expect(await retireSchemas.watch(t.cx, all, first)).toMatchObject({ findings: [], blocking: [], tables: [{ before: 2, after: 2 }] });
    expect(await retireSchemas.canUndo(t.cx, all, first)).toEqual([]);
    await retireSchemas.undo(t.cx, all, first);
    expect(schemaDump(cluster, name)).toBe(before);
    expect(await leftovers(cluster, name)).toEqual([]);
    const second = await apply(t, all);
    await app(`DELETE FROM public."bazaar-vid_user"`);
    expect(retireSchemas.retired(all, second)).toEqual([{ schema: 'lossless_old_r0000test_s_neon_auth', name: 'users_sync' }]);
    expect(retireSchemas.retiredSchemas?.(all, second)).toEqual([
      'lossless_old_r0000test_s_auth',
      'lossless_old_r0000test_s_neon_auth',
      'lossless_old_r0000test_s_pgrst',
    ]);
    expect((await retireSchemas.watch(t.cx, all, second)).tables.map((a) => a.after)).toEqual([2]);
    expect(await retireSchemas.canCleanup(t.cx, all, second)).toEqual([]);
    await retireSchemas.cleanup(t.cx, all, second);
    await retireSchemas.cleanup(t.cx, all, second);
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('fences the tables of a retired schema', async () => {
    const { t, app } = await fresh();
    await apply(t, all);
    await expect(app(`INSERT INTO lossless_old_r0000test_s_neon_auth.users_sync (raw_json) VALUES ('{"id": "3"}')`)).rejects.toMatchObject({
      sqlstate: '40001',
    });
  });

  test('refuses by name whatever outside depends on something inside, and allows it between schemas of one step', async () => {
    const { t, app } = await fresh();
    await app(`
      CREATE TABLE pgrst.ref (id text CONSTRAINT ref_fk REFERENCES neon_auth.users_sync (id));
      CREATE TABLE public.ref (id text CONSTRAINT public_ref_fk REFERENCES neon_auth.users_sync (id), who text DEFAULT auth.user_id());
      CREATE VIEW public.v AS SELECT id FROM neon_auth.recent;
      CREATE POLICY own ON public.ref USING (who = auth.user_id());
      CREATE FUNCTION public.f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT auth.user_id(); END;
      CREATE TYPE auth.mood AS ENUM ('good'); CREATE TABLE public.moody (m auth.mood);
      CREATE INDEX ON public.ref ((id));
      CREATE OR REPLACE FUNCTION auth.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touch BEFORE UPDATE ON public.ref FOR EACH ROW EXECUTE FUNCTION auth.touch();`);
    expect([...(await codes(t, all))].sort()).toEqual(
      [
        'has-dependents for public.ref.who',
        'has-dependents own on public.ref',
        'has-dependents public.f()',
        'has-dependents public.moody.m',
        'has-dependents public.v',
        'has-dependents touch on public.ref',
        'referenced-from-outside public_ref_fk on public.ref',
      ].sort(),
    );
    expect(await codes(t, ['neon_auth'])).toContain('referenced-from-outside ref_fk on pgrst.ref');
  });

  test('refuses schemas of the system, of an extension, of somebody else, and one that is not there', async () => {
    const { name, t } = await fresh();
    await cluster.admin('CREATE SCHEMA platform; CREATE SCHEMA ext AUTHORIZATION app; CREATE EXTENSION citext SCHEMA ext', name);
    expect(await codes(t, ['pg_catalog', 'information_schema', 'lossless', 'platform', 'nowhere'])).toEqual([
      'schema-not-retirable pg_catalog',
      'schema-not-retirable information_schema',
      'schema-not-retirable lossless',
      'not-owner platform',
      'schema-not-found nowhere',
    ]);
    expect(await codes(t, ['ext'])).toEqual(['schema-not-retirable ext']);
  });

  test('an apply that died after any receipt is resumed to the end, or undone to the start', async () => {
    for (const dieAt of [1, 2]) {
      for (const then of ['resume', 'undo'] as const) {
        const { name, t } = await fresh();
        const before = schemaDump(cluster, name);
        const s = slot(dieAt);
        await expect(retireSchemas.apply(t.cx, all, s)).rejects.toBeInstanceOf(Killed);
        if (then === 'resume') {
          s.dieAt = 0;
          await retireSchemas.apply(t.cx, all, s);
          expect((await retireSchemas.verify(t.cx, all, s.last!)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass']);
        }
        await retireSchemas.undo(t.cx, all, s.last);
        await retireSchemas.undo(t.cx, all, s.last);
        expect(schemaDump(cluster, name)).toBe(before);
        expect(await leftovers(cluster, name)).toEqual([]);
      }
    }
  });

  test('says what stops an undo and a cleanup', async () => {
    const { t, app } = await fresh();
    const receipt = await apply(t, all);
    await app(
      'CREATE SCHEMA auth; DROP TABLE public."bazaar-vid_user"; CREATE VIEW public.late AS SELECT * FROM lossless_old_r0000test_s_neon_auth.users_sync',
    );
    expect((await retireSchemas.canUndo(t.cx, all, receipt)).map((f) => `${f.code} ${f.object ?? ''}`)).toEqual([
      'name-taken auth',
      'parent-gone sync_owner_fk',
    ]);
    expect((await retireSchemas.canCleanup(t.cx, all, receipt)).map((f) => `${f.code} ${f.object ?? ''}`)).toContain('has-dependents public.late');
    await expect(retireSchemas.cleanup(t.cx, all, receipt)).rejects.toMatchObject({ fault: 'user' });
    await app('ALTER SCHEMA lossless_old_r0000test_s_pgrst RENAME TO elsewhere');
    expect((await retireSchemas.watch(t.cx, all, receipt)).findings.map((f) => f.code)).toEqual(['retired-table-missing']);
  });

  test('a schema that a run of the journal retired is done', async () => {
    const { t, app } = await fresh();
    await app(
      'CREATE SCHEMA lossless; CREATE TABLE lossless.run (id text); CREATE TABLE lossless.step (run text, state text, receipt jsonb, ended_at timestamptz)',
    );
    const receipt = await apply(t, all);
    await app(`INSERT INTO lossless.step VALUES ('r0000test', 'cleaned', '${JSON.stringify(receipt)}', now())`);
    expect((await retireSchemas.preflight(t.cx, all)).done).toBe(true);
  });
});
