import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { prepareJourney, type Journey } from '../../support/journey.js';
import { expectCode, schemaText, terminal, type Ended } from '../../support/terminal.js';

const plan = `name: one usage table
steps:
  - id: api-usage-metric
    merge-table:
      from: api_usage_metric
      into: bazaar-vid_api_usage_metric
      key: [id]
      columns: { user_id: '"userId"', project_id: '"projectId"', response_time_ms: '"responseTime"', total_tokens: '"tokenCount"', error_message: '"errorType"' }
      conflicts: quarantine
  - id: unused
    retire-tables: { tables: [bazaar-vid_component_error, bazaar-vid_patch, bazaar-vid_scene_plan, bazaar-vid_scene_specs], only-if: empty }
`;

let journey: Journey;
const day = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString();

beforeAll(async () => {
  journey = await prepareJourney({ plan, which: 'production-duplicates' });
}, 300_000);
afterAll(async () => {
  await (journey as Journey | undefined)?.remove();
});

async function rows<T>(url: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

const phase = (name: string, url: string, inputs: Readonly<Record<string, string>>, now?: string): Promise<Ended> =>
  terminal(name, { plan: journey.plan, store: journey.store, inputs: { ...journey.inputs(url), ...inputs }, ...(now === undefined ? {} : { now }) });
const counts = `SELECT (SELECT count(*)::int FROM public."bazaar-vid_api_usage_metric") AS target, to_regclass('public.api_usage_metric') IS NULL AS gone`;
const source = 'SELECT * FROM public.api_usage_metric ORDER BY id';
const target = 'SELECT * FROM public."bazaar-vid_api_usage_metric" ORDER BY id';

describe('a merge and its retired tables through the phases', () => {
  test('migrate accounts for 4 + 2 + 1, the application writes on, and rollback returns both tables with those writes', async () => {
    const url = await journey.production('back');
    const [start, had, kept] = [await schemaText(journey.cluster.bin, url), await rows(url, source), await rows(url, target)];
    const migrated = await phase('migrate', url, {});
    expectCode(migrated, 0);
    expect(migrated.out).toContain('4 new + 2 identical + 1 conflicts');
    expect(migrated.outputs['rows-quarantined']).toBe('1');
    expect(await rows(url, counts)).toEqual([{ target: kept.length + 4, gone: true }]);
    await rows(
      url,
      `UPDATE public."bazaar-vid_api_usage_metric" SET response_time_ms = 4711 WHERE id IN (SELECT k1 FROM ${(await rows<{ t: string }>(url, "SELECT format('lossless.%I', tablename) AS t FROM pg_tables WHERE tablename LIKE 'merged%'"))[0]?.t ?? ''} WHERE class = 'n')`,
    );
    const watched = await phase('watch', url, { confirm: '' }, day(1));
    expectCode(watched, 0);
    expectCode(await terminal('rollback', { store: journey.store, inputs: { ...journey.inputs(url), confirm: migrated.outputs['run'] ?? '' } }), 0);
    expect(await schemaText(journey.cluster.bin, url)).toBe(start);
    expect(await rows(url, target)).toEqual(kept);
    const now = await rows<{ responseTime: number }>(url, source);
    expect(now.length).toBe(had.length);
    expect(now.filter((r) => r.responseTime === 4711).length).toBe(4);
  }, 300_000);

  test('cleanup archives the duplicate and the row in conflict, and leaves nothing of ours but the journal', async () => {
    const url = await journey.production('life');
    const migrated = await phase('migrate', url, {});
    expectCode(migrated, 0);
    expectCode(await phase('watch', url, { confirm: '' }, day(8)), 0);
    expectCode(await phase('cleanup', url, { confirm: migrated.outputs['run'] ?? '' }, day(8.1)), 0);
    expect(await rows(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'lossless%'")).toEqual([{ nspname: 'lossless' }]);
    expect((await rows<{ t: string }>(url, "SELECT tablename AS t FROM pg_tables WHERE schemaname = 'lossless' ORDER BY 1")).map((r) => r.t)).toEqual([
      'evidence',
      'file',
      'receipt',
      'run',
      'step',
      'watch',
    ]);
    expect(
      await rows(
        url,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'lossless'::regnamespace UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '%lossless%'",
      ),
    ).toEqual([]);
    const [body] = await rows<{ rows: number }>(url, "SELECT (body ->> 'rows')::int AS rows FROM lossless.evidence WHERE kind LIKE 'archive %'");
    expect(body?.rows).toBe(8);
    expect(readdirSync(journey.store).some((name) => name.includes('archive'))).toBe(true);
  }, 300_000);
});
