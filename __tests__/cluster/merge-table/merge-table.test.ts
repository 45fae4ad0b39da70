import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type MergeTable, schema } from '../../../src/steps/merge-table/spec.js';
import { mergeTable, type MergeTableReceipt } from '../../../src/steps/merge-table/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { leftovers, schemaDump } from '../../support/schema-dump.js';
import { Killed, MemorySlot, stepContext, type TestContext, type TestContextOptions } from '../../support/step-context.js';

const spec = (more: Record<string, unknown> = {}): MergeTable =>
  schema.parse({
    from: 'api_usage_metric',
    into: 'bazaar-vid_api_usage_metric',
    key: ['id'],
    columns: { user_id: '"userId"', project_id: '"projectId"', response_time_ms: '"responseTime"', total_tokens: '"tokenCount"', error_message: '"errorType"' },
    ...more,
  });
const aside = spec({ conflicts: 'quarantine' });
const approved = { 'public.api_usage_metric': 1 };
const id = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;
const FROM = 'public.api_usage_metric';
const INTO = 'public."bazaar-vid_api_usage_metric"';

describe('merge-table', () => {
  let cluster: Cluster;
  let n = 0;
  const open: TestContext[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.create('template');
    const app = await stepContext(cluster.url('template'));
    await app.db.script(readFileSync(new URL('fixture.sql', import.meta.url), 'utf8'), { file: 'fixture.sql' });
    await app.close();
  });
  afterAll(async () => {
    for (const c of open) await c.close();
    await cluster.remove();
  });
  const fresh = async (
    extra = '',
    options: TestContextOptions = {},
  ): Promise<{ name: string; t: TestContext; app: (sql: string) => Promise<void>; all: (table: string) => Promise<string> }> => {
    n += 1;
    const name = `merge_${String(n)}`;
    const t = await stepContext(await cluster.create(name, 'template'), { approved, ...options });
    open.push(t);
    if (extra !== '') await t.db.script(extra, { file: 'extra.sql' });
    return {
      name,
      t,
      app: (sql) => t.db.script(sql, { file: 'app.sql' }),
      all: async (table) =>
        JSON.stringify(
          (await cluster.admin(`SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY to_jsonb(t)::text`, name)).rows.map((r: { row: unknown }) => r.row),
        ),
    };
  };
  const slot = (dieAt = 0): MemorySlot<MergeTableReceipt> => new MemorySlot<MergeTableReceipt>(dieAt);
  const apply = async (t: TestContext, s: MergeTable): Promise<MergeTableReceipt> => {
    const memory = slot();
    await mergeTable.apply(t.cx, s, memory);
    return memory.last!;
  };
  const blocks = async (t: TestContext, s: MergeTable): Promise<readonly string[]> =>
    (await mergeTable.preflight(t.cx, s)).findings.filter((f) => f.severity === 'block').map((f) => `${f.code} ${f.object ?? ''}`);
  const verdicts = async (t: TestContext, s: MergeTable, r: MergeTableReceipt): Promise<readonly string[]> =>
    (await mergeTable.verify(t.cx, s, r)).checks.map((c) => `${c.verdict} ${c.actual}`);

  test('7 rows are 4 new, 2 identical and 1 conflict; fail refuses naming the key, in preflight and in apply', async () => {
    const { name, t, all } = await fresh();
    const before = [schemaDump(cluster, name), await all(FROM), await all(INTO)];
    const { findings, counts } = await mergeTable.preflight(t.cx, spec());
    expect(findings.map((f) => `${f.code} ${f.message}`)).toContain('merge-counted public.api_usage_metric: 7 rows = 4 new + 2 identical + 1 conflicts');
    expect(findings.find((f) => f.code === 'merge-conflict')).toMatchObject({ severity: 'block', count: 1, keys: [id(7)] });
    expect(counts).toEqual({});
    const memory = slot();
    await expect(mergeTable.apply(t.cx, spec(), memory)).rejects.toMatchObject({ fault: 'user', message: expect.stringContaining(id(7)) });
    await mergeTable.undo(t.cx, spec(), memory.last);
    expect([schemaDump(cluster, name), await all(FROM), await all(INTO)]).toEqual(before);
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('with quarantine: 4 + 2 + 1, references repointed, undone to the start, merged again, and cleaned up', async () => {
    const { name, t, all, app } = await fresh();
    const before = [schemaDump(cluster, name), await all(FROM), await all(INTO), await all('public.note')];
    const pre = await mergeTable.preflight(t.cx, aside);
    expect(pre.findings.filter((f) => f.severity === 'block')).toEqual([]);
    expect(pre.counts).toEqual(approved);
    const first = await apply(t, aside);
    expect(await verdicts(t, aside, first)).toEqual([
      'pass 4 new + 2 identical + 1 conflicts',
      'pass out of sight, fenced',
      'pass 0 missing, 0 different',
      'pass 1 lead there and are as valid as before',
    ]);
    expect(schemaDump(cluster, name)).toContain('FOREIGN KEY (metric) REFERENCES public."bazaar-vid_api_usage_metric"(id) ON DELETE CASCADE DEFERRABLE');
    expect((await cluster.admin(`SELECT count(*)::int AS n FROM ${INTO}`, name)).rows).toEqual([{ n: 8 }]);
    expect(mergeTable.retired(aside, first).map((r) => r.schema)).toEqual(['lossless_old_r0000test', 'lossless']);
    expect(await mergeTable.canUndo(t.cx, aside, first)).toEqual([]);
    await mergeTable.undo(t.cx, aside, first);
    expect([schemaDump(cluster, name), await all(FROM), await all(INTO), await all('public.note')]).toEqual(before);
    expect(await leftovers(cluster, name)).toEqual([]);
    const second = await apply(t, aside);
    await app(`DELETE FROM public."bazaar-vid_user" WHERE id = 'u2'`);
    expect(await mergeTable.watch(t.cx, aside, second)).toMatchObject({ findings: [], blocking: [], backlog: 0 });
    expect(await mergeTable.canCleanup(t.cx, aside, second)).toEqual([]);
    await mergeTable.cleanup(t.cx, aside, second);
    await mergeTable.cleanup(t.cx, aside, second);
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('an empty duplicate is merged and returned as well', async () => {
    const { name, t } = await fresh(`TRUNCATE ${FROM} CASCADE`);
    const before = schemaDump(cluster, name);
    const receipt = await apply(t, spec());
    expect(await verdicts(t, spec(), receipt)).toEqual([
      'pass 0 new + 0 identical + 0 conflicts',
      'pass out of sight, fenced',
      'pass 0 missing, 0 different',
      'pass 1 lead there and are as valid as before',
    ]);
    await mergeTable.undo(t.cx, spec(), receipt);
    expect(schemaDump(cluster, name)).toBe(before);
  });

  test('undo carries later changes of merged rows back, keeps what the application added, and deletes what it deleted', async () => {
    const { name, t, all, app } = await fresh();
    const receipt = await apply(t, aside);
    await app(`UPDATE ${INTO} SET response_time_ms = 4242, error_message = 'slow' WHERE id = '${id(2)}'`);
    await app(`DELETE FROM ${INTO} WHERE id = '${id(3)}'`);
    await app(`INSERT INTO ${INTO} (id, provider, model, success, response_time_ms) VALUES ('${id(50)}', 'x', 'y', true, 1)`);
    await app(`UPDATE ${INTO} SET tool_name = 'other' WHERE id = '${id(5)}'`);
    await app(`INSERT INTO public.note (metric) VALUES ('${id(4)}')`);
    expect(await mergeTable.canUndo(t.cx, aside, receipt)).toEqual([]);
    expect((await mergeTable.watch(t.cx, aside, receipt)).findings).toEqual([]);
    await app(`UPDATE ${INTO} SET model = 'gpt-5' WHERE id = '${id(4)}'`);
    await mergeTable.undo(t.cx, aside, receipt);
    const { rows } = await cluster.admin(`SELECT right(id::text, 2)::int AS id, model, "responseTime" AS ms, "errorType" AS err FROM ${FROM} ORDER BY 1`, name);
    expect(rows).toEqual([
      { id: 1, model: 'gpt-4', ms: 100, err: null },
      { id: 2, model: 'gpt-4', ms: 4242, err: 'slow' },
      { id: 4, model: 'gpt-5', ms: 400, err: null },
      { id: 5, model: 'gpt-4', ms: 500, err: null },
      { id: 6, model: 'gpt-4', ms: 600, err: null },
      { id: 7, model: 'gpt-4', ms: 700, err: 'timeout' },
    ]);
    expect((await cluster.admin(`SELECT right(id::text, 2)::int AS id, tool_name AS tool FROM ${INTO} ORDER BY 1`, name)).rows).toEqual([
      { id: 5, tool: 'other' },
      { id: 6, tool: 'tool' },
      { id: 7, tool: null },
      { id: 50, tool: null },
      { id: 99, tool: null },
    ]);
    expect(await all('public.note')).toContain(id(4));
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('a change for which the source has no place blocks the undo by key, unless it is accepted; then the row stays', async () => {
    const { name, t, app } = await fresh();
    const receipt = await apply(t, aside);
    await app(`UPDATE ${INTO} SET metadata = '{"a": 1}' WHERE id = '${id(1)}'`);
    expect(await mergeTable.canUndo(t.cx, aside, receipt)).toMatchObject([{ code: 'merge-row-stuck', count: 1, keys: [id(1)] }]);
    expect((await mergeTable.watch(t.cx, aside, receipt)).blocking.map((f) => f.code)).toEqual(['merge-row-stuck']);
    await expect(mergeTable.undo(t.cx, aside, receipt)).rejects.toMatchObject({ fault: 'user', message: expect.stringContaining(id(1)) });
    const accepting = { ...t.cx, allow: new Set(['reverse-conflict']) };
    expect(await mergeTable.canUndo(accepting, aside, receipt)).toEqual([]);
    await mergeTable.undo(accepting, aside, receipt);
    expect(
      (await cluster.admin(`SELECT (SELECT count(*)::int FROM ${FROM}) AS source, (SELECT metadata FROM ${INTO} WHERE id = '${id(1)}') AS kept`, name)).rows,
    ).toEqual([{ source: 7, kept: { a: 1 } }]);
    expect(t.events.flatMap((e) => (e.type === 'found' ? [e.finding.code] : []))).toContain('merge-row-stays');
    expect(await leftovers(cluster, name)).toEqual([]);
  });

  test('rows without a key and rows without a parent are conflicts', async () => {
    const { t, name } = await fresh(
      `ALTER TABLE public.note DROP CONSTRAINT note_metric_fk; ALTER TABLE ${FROM} DROP CONSTRAINT api_usage_metric_pkey; ALTER TABLE ${FROM} ALTER id DROP NOT NULL; CREATE UNIQUE INDEX only_id ON ${FROM} (id);
       ALTER TABLE ${FROM} DROP CONSTRAINT old_user_fk; INSERT INTO ${FROM} (id, provider, model, success, "responseTime") VALUES (NULL, 'p', 'm', true, 1), (NULL, 'p', 'm', true, 2); UPDATE ${FROM} SET "userId" = 'nobody' WHERE id = '${id(3)}'`,
      { approved: { 'public.api_usage_metric': 4 } },
    );
    const pre = await mergeTable.preflight(t.cx, aside);
    expect(pre.counts).toEqual({ 'public.api_usage_metric': 4 });
    expect(pre.findings.find((f) => f.code === 'merge-conflict')?.keys).toEqual([id(3), id(7), 'NULL', 'NULL']);
    const receipt = await apply(t, aside);
    expect(await verdicts(t, aside, receipt)).toEqual(['pass 3 new + 2 identical + 4 conflicts', 'pass out of sight, fenced', 'pass 0 missing, 0 different']);
    expect(
      (
        await cluster.admin(
          `SELECT lossless_reason AS why, count(*)::int AS n FROM lossless.quarantine_r0000test_${String(receipt.merge!.from.oid)} GROUP BY 1 ORDER BY 1`,
          name,
        )
      ).rows,
    ).toEqual([
      { why: 'conflict', n: 2 },
      { why: 'no key', n: 2 },
    ]);
    await mergeTable.undo(t.cx, aside, receipt);
    expect((await cluster.admin(`SELECT count(*)::int AS n FROM ${FROM}`, name)).rows).toEqual([{ n: 9 }]);
  });

  test('refuses more conflicts than were approved', async () => {
    const { t } = await fresh('', { approved: { 'public.api_usage_metric': 0 } });
    await expect(apply(t, aside)).rejects.toMatchObject({ message: expect.stringContaining(id(7)) });
  });

  test('refuses a mapping that leaves a column behind, reads or fills what is not there, does not fit, or has no plain key', async () => {
    const { t } = await fresh();
    const columns = spec().columns;
    const without = Object.fromEntries(Object.entries(columns).filter(([name]) => name !== 'user_id'));
    expect(await blocks(t, { ...spec(), columns: without })).toEqual(['merge-column-unmapped public.api_usage_metric.userId']);
    expect(await blocks(t, { ...spec(), columns: without, ignore: ['userId'], conflicts: 'quarantine' })).toEqual([]);
    expect(await blocks(t, { ...spec(), columns: { ...columns, nowhere: '1', tool_name: 'noSuch' } })).toEqual([
      'merge-column-invalid public.bazaar-vid_api_usage_metric.nowhere',
      'merge-column-invalid public.api_usage_metric.nosuch',
    ]);
    expect(await blocks(t, { ...spec(), columns: { ...columns, tool_name: '(SELECT 1)' } })).toEqual([
      'merge-column-invalid public.bazaar-vid_api_usage_metric.tool_name',
    ]);
    expect(await blocks(t, { ...spec(), columns: { ...columns, input_tokens: 'provider' } })).toEqual([
      'merge-column-invalid public.bazaar-vid_api_usage_metric',
    ]);
    expect(await blocks(t, { ...spec(), columns: { ...columns, id: `coalesce(id, '${id(1)}')` } })).toContain(
      'merge-key-invalid public.bazaar-vid_api_usage_metric.id',
    );
    expect(await blocks(t, { ...spec(), key: ['provider'] })).toEqual(
      expect.arrayContaining(['merge-key-invalid public.api_usage_metric', 'merge-key-invalid public.bazaar-vid_api_usage_metric']),
    );
    expect(await blocks(t, { ...spec(), ignore: ['ghost'] })).toEqual(['merge-column-invalid public.api_usage_metric.ghost']);
    expect(await blocks(t, { ...spec(), back: { ghost: 'id' } })).toEqual(['merge-column-invalid public.api_usage_metric.ghost']);
    expect(await blocks(t, { ...spec(), from: 'nowhere' })).toEqual(['table-not-found public.nowhere']);
  });

  test('refuses values that are too long or cannot be converted, without printing them, and keys that collide', async () => {
    const { t } = await fresh(`UPDATE ${FROM} SET provider = repeat('p', 51) WHERE id = '${id(1)}'`);
    expect(await blocks(t, aside)).toEqual(['merge-value-too-long public.api_usage_metric']);
    const bad = { ...aside, columns: { ...aside.columns, input_tokens: 'model::integer' } };
    const { findings } = await mergeTable.preflight(t.cx, bad);
    expect(findings.map((f) => f.code)).toEqual(['merge-value-invalid']);
    expect(JSON.stringify(findings)).not.toContain('gpt-4');
  });

  test('refuses triggers of the target, dependents of the source, and references that cannot be repointed', async () => {
    const { t } = await fresh(`
      CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER touch BEFORE INSERT ON ${INTO} FOR EACH ROW EXECUTE FUNCTION public.touch();
      CREATE VIEW public.metrics AS SELECT id FROM ${FROM};
      ALTER TABLE ${FROM} ADD CONSTRAINT spent UNIQUE ("responseTime");
      CREATE TABLE public.bill (ms integer CONSTRAINT bill_fk REFERENCES ${FROM} ("responseTime"))`);
    expect(await blocks(t, aside)).toEqual([
      'merge-target-acts trigger touch',
      'has-dependents public.metrics',
      'merge-reference-invalid bill_fk of public.bill',
    ]);
  });

  test('a merge that died after any receipt is resumed to the end, or undone to the start', async () => {
    for (const dieAt of [1, 2, 3]) {
      for (const then of ['resume', 'undo'] as const) {
        const { name, t, all, app } = await fresh();
        const before = [schemaDump(cluster, name), await all(INTO), await all('public.note')];
        const memory = slot(dieAt);
        await expect(mergeTable.apply(t.cx, aside, memory)).rejects.toBeInstanceOf(Killed);
        if (dieAt < 3) await app(`UPDATE ${FROM} SET "tokenCount" = 77 WHERE id = '${id(1)}'; DELETE FROM ${FROM} WHERE id = '${id(2)}'`);
        if (then === 'resume') {
          memory.dieAt = 0;
          await mergeTable.apply(t.cx, aside, memory);
          expect((await verdicts(t, aside, memory.last!)).every((v) => v.startsWith('pass'))).toBe(true);
        }
        await mergeTable.undo(t.cx, aside, memory.last);
        await mergeTable.undo(t.cx, aside, memory.last);
        expect([schemaDump(cluster, name), await all(INTO), await all('public.note')]).toEqual(before);
        expect((await cluster.admin(`SELECT count(*)::int AS n FROM ${FROM}`, name)).rows).toEqual([{ n: dieAt < 3 ? 6 : 7 }]);
        expect(await leftovers(cluster, name)).toEqual([]);
      }
    }
  });

  test('a TRUNCATE of the source while it is merged takes the merged rows away again', async () => {
    const { name, t, app } = await fresh();
    const memory = slot(2);
    await expect(mergeTable.apply(t.cx, aside, memory)).rejects.toBeInstanceOf(Killed);
    await app(`TRUNCATE ${FROM} CASCADE`);
    memory.dieAt = 0;
    await mergeTable.apply(t.cx, aside, memory);
    expect(await verdicts(t, aside, memory.last!)).toContain('pass 0 new + 0 identical + 0 conflicts');
    expect((await cluster.admin(`SELECT count(*)::int AS n FROM ${INTO}`, name)).rows).toEqual([{ n: 4 }]);
  });

  test('composite keys, expressions with their way back, columns left behind, and sequences that step over merged keys', async () => {
    const { name, t, app } = await fresh(`
      CREATE TABLE public."Stay" (region varchar(10), no int GENERATED BY DEFAULT AS IDENTITY, cents bigint NOT NULL, note text COLLATE "C", PRIMARY KEY (no, region));
      CREATE TABLE public."Go" (no int, area text, price numeric(10,2) NOT NULL, note text, old boolean, PRIMARY KEY (area, no));
      INSERT INTO public."Stay" (region, no, cents, note) VALUES ('eu', 1, 100, 'a'), ('us', 1, 999, NULL);
      INSERT INTO public."Go" VALUES (1, 'eu', 1.00, 'a', true), (2, 'eu', 2.50, NULL, false), (7, 'us', 7, 'x', NULL), (8, 'us', 8, 'y', true);
      CREATE TABLE public.refers (area text, no int, CONSTRAINT refers_go FOREIGN KEY (area, no) REFERENCES public."Go" (area, no) MATCH FULL ON UPDATE CASCADE);
      INSERT INTO public.refers VALUES ('us', 7)`);
    const composite = schema.parse({
      from: 'Go',
      into: 'Stay',
      key: ['region', 'no'],
      columns: { region: 'area', cents: '(price * 100)::bigint' },
      ignore: ['old'],
      back: { price: 'cents / 100.0' },
    });
    const before = schemaDump(cluster, name);
    expect(await blocks(t, composite)).toEqual(['merge-reference-invalid refers_go of public.refers']);
    await app('ALTER TABLE public.refers ALTER area TYPE varchar(10)');
    expect(await blocks(t, composite)).toEqual([]);
    const memory = slot(2);
    await expect(mergeTable.apply(t.cx, composite, memory)).rejects.toBeInstanceOf(Killed);
    await app(`UPDATE public."Go" SET no = 9 WHERE no = 8; DELETE FROM public."Go" WHERE no = 2`);
    memory.dieAt = 0;
    await mergeTable.apply(t.cx, composite, memory);
    const receipt = memory.last!;
    expect((await verdicts(t, composite, receipt)).map((v) => v.split(' ')[0])).toEqual(['pass', 'pass', 'pass', 'pass']);
    expect(schemaDump(cluster, name)).toContain('FOREIGN KEY (area, no) REFERENCES public."Stay"(region, no) MATCH FULL ON UPDATE CASCADE');
    await app(`INSERT INTO public."Stay" (region, cents) VALUES ('xx', 1)`);
    expect((await cluster.admin(`SELECT no FROM public."Stay" WHERE region = 'xx'`, name)).rows[0]).toEqual({ no: expect.any(Number) });
    expect((await cluster.admin(`SELECT no > 8 AS over FROM public."Stay" WHERE region = 'xx'`, name)).rows).toEqual([{ over: true }]);
    await app(`UPDATE public."Stay" SET cents = 1234, note = 'z' WHERE region = 'us' AND no = 7`);
    expect((await mergeTable.watch(t.cx, composite, receipt)).blocking).toEqual([]);
    expect(await mergeTable.canUndo(t.cx, composite, receipt)).toEqual([]);
    await mergeTable.undo(t.cx, composite, receipt);
    expect((await cluster.admin('SELECT area, no, price::text, note, old FROM public."Go" ORDER BY 1, 2', name)).rows).toEqual([
      { area: 'eu', no: 1, price: '1.00', note: 'a', old: true },
      { area: 'us', no: 7, price: '12.34', note: 'z', old: null },
      { area: 'us', no: 9, price: '8.00', note: 'y', old: true },
    ]);
    expect((await cluster.admin('SELECT region, no FROM public."Stay" ORDER BY 1, 2', name)).rows).toEqual([
      { region: 'eu', no: 1 },
      { region: 'us', no: 1 },
      { region: 'xx', no: expect.any(Number) },
    ]);
    expect(schemaDump(cluster, name).replace('area character varying(10),\n    no integer\n', 'area text,\n    no integer\n')).toBe(before);
    expect(await leftovers(cluster, name)).toEqual([]);
  });
});
