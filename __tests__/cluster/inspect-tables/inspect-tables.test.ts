import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scanner } from '../../../src/proof/mentions.js';
import { inspectTables, type InspectTablesReceipt } from '../../../src/steps/inspect-tables.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { schemaDump } from '../../support/schema-dump.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

const spec = ['bazaar-vid_project_memory', 'bazaar-vid_metric', 'bazaar-vid_agent_message'];

describe('inspect-tables', () => {
  let cluster: Cluster;
  let t: TestContext;
  let root: string;
  beforeAll(async () => {
    cluster = await startCluster();
    t = await stepContext(await cluster.create('inspected'));
    root = mkdtempSync(join(tmpdir(), 'lossless-inspect-'));
    writeFileSync(join(root, 'memory.ts'), 'export const all = () => db.select().from(projectMemory);\n');
    await t.db.script(
      `CREATE TABLE public."bazaar-vid_user" (id int PRIMARY KEY);
       CREATE TABLE public."bazaar-vid_project_memory" (id int PRIMARY KEY, "userId" int CONSTRAINT memory_user_fk REFERENCES public."bazaar-vid_user");
       CREATE TABLE public."bazaar-vid_metric" (id int PRIMARY KEY);
       CREATE TABLE public."bazaar-vid_agent_message" (id int PRIMARY KEY);
       CREATE VIEW public.metrics AS SELECT * FROM public."bazaar-vid_metric";
       INSERT INTO public."bazaar-vid_project_memory" SELECT g FROM generate_series(1, 621) g`,
      { file: 'schema.sql' },
    );
  });
  afterAll(async () => {
    await t.close();
    await cluster.remove();
    rmSync(root, { recursive: true });
  });

  test('gathers rows, keys, dependents and mentions, recommends with reasons, and changes nothing', async () => {
    const before = schemaDump(cluster, 'inspected');
    expect(await inspectTables.preflight(t.cx, spec)).toEqual({ findings: [], counts: {}, done: false });
    const slot = new MemorySlot<InspectTablesReceipt>();
    await inspectTables.apply(t.cx, spec, slot);
    const verified = await inspectTables.verify({ ...t.cx, sources: scanner(root) }, spec, slot.last!);
    expect(verified.sections?.map((s) => s.title)).toEqual([
      'public.bazaar-vid_project_memory: keep',
      'public.bazaar-vid_metric: keep',
      'public.bazaar-vid_agent_message: retire',
    ]);
    expect(verified.sections?.[0]?.rows).toEqual(
      expect.arrayContaining([
        ['rows, exact', '621'],
        ['its foreign keys', 'memory_user_fk to public.bazaar-vid_user'],
        ['in the source code', 'memory.ts:1 as projectMemory'],
      ]),
    );
    expect(verified.sections?.[1]?.rows).toEqual(expect.arrayContaining([['depend on it', 'view public.metrics']]));
    expect(verified.findings.map((f) => `${f.code} ${String(f.count)}`)).toEqual(['table-inspected 621', 'table-inspected 0', 'table-inspected 0']);
    await inspectTables.undo(t.cx, spec, slot.last);
    await inspectTables.cleanup(t.cx, spec, slot.last!);
    expect(schemaDump(cluster, 'inspected')).toBe(before);
  });

  test('says that code was not looked into when there is none, and refuses what is no table', async () => {
    const verified = await inspectTables.verify(t.cx, ['bazaar-vid_project_memory'], { inspected: [] });
    expect(verified.notCompared).toEqual(['The source code: no checked-out repository was given.']);
    expect(verified.sections?.map((s) => s.title)).toEqual(['public.bazaar-vid_project_memory: decide']);
    expect((await inspectTables.preflight(t.cx, ['nowhere', 'metrics'])).findings.map((f) => f.code)).toEqual(['table-not-found', 'table-cannot-move']);
  });
});
