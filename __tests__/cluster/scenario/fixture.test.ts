import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { build, databases, type Fixture } from '../../../examples/bazaar-vid/fixture.mjs';
import { startCluster, type Cluster } from '../../support/cluster.js';

let cluster: Cluster;
const clients = new Map<Fixture, pg.Client>();
beforeAll(async () => {
  cluster = await startCluster();
  for (const which of Object.keys(databases) as Fixture[]) {
    const url = await cluster.create(which);
    await build(url, which);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    clients.set(which, client);
  }
});
afterAll(async () => {
  for (const client of clients.values()) await client.end();
  await cluster.remove();
});

const rows = async (which: Fixture, sql: string): Promise<readonly string[]> =>
  (await clients.get(which)!.query<{ v: string }>(`SELECT v::text AS v FROM (${sql}) AS q (v)`)).rows.map((r) => r.v);
const count = async (which: Fixture, from: string): Promise<number> => Number((await rows(which, `SELECT count(*) FROM ${from}`))[0]);
const typesOf = (which: Fixture, table: string): Promise<readonly string[]> =>
  rows(
    which,
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'public."${table}"'::regclass AND attnum > 0 ORDER BY attnum`,
  );

describe('the databases of the scenario', () => {
  test('production has 31 tables in public, all but one with the prefix', async () => {
    expect(await count('production', `pg_tables WHERE schemaname = 'public'`)).toBe(31);
    expect(await rows('production', `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'bazaar-vid\\_%'`)).toEqual([
      'api_usage_metric',
    ]);
  });

  test.each([
    ['bazaar-vid_user', 565],
    ['bazaar-vid_exports', 134],
    ['bazaar-vid_export_analytics', 379],
    ['bazaar-vid_project_memory', 621],
    ['bazaar-vid_metric', 389],
    ['bazaar-vid_agent_message', 3],
    ['api_usage_metric', 0],
    ['bazaar-vid_component_error', 0],
    ['bazaar-vid_patch', 0],
    ['bazaar-vid_scene_plan', 0],
    ['bazaar-vid_scene_specs', 0],
  ])('production has so many rows in %s: %i', async (table, expected) => {
    expect(await count('production', `public."${table}"`)).toBe(expected);
  });

  test('no other table of production is empty', async () => {
    const tables = await rows('production', `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`);
    const empty = [];
    for (const table of tables) if ((await count('production', `public."${table}"`)) === 0) empty.push(table);
    expect(empty).toEqual(['api_usage_metric', 'bazaar-vid_component_error', 'bazaar-vid_patch', 'bazaar-vid_scene_plan', 'bazaar-vid_scene_specs']);
  });

  test('two exports have lost their project, and six events belong to them', async () => {
    const orphans = `"bazaar-vid_exports" e WHERE NOT EXISTS (SELECT FROM "bazaar-vid_project" p WHERE p.id::text = e.project_id)`;
    expect(await rows('production', `SELECT project_id FROM ${orphans}`)).toEqual(Array(2).fill('a161a5cc-886a-48dc-be84-84d31e131d88'));
    expect(await count('production', `"bazaar-vid_export_analytics" WHERE export_id IN (SELECT id FROM ${orphans})`)).toBe(6);
    expect(await count('production', `"bazaar-vid_export_analytics" a WHERE NOT EXISTS (SELECT FROM "bazaar-vid_exports" e WHERE e.id = a.export_id)`)).toBe(0);
    expect(await count('production', `"bazaar-vid_exports" e WHERE NOT EXISTS (SELECT FROM "bazaar-vid_user" u WHERE u.id = e.user_id)`)).toBe(0);
  });

  test('every text key is a canonical UUID, but not every user id', async () => {
    expect(await count('production', `"bazaar-vid_exports" WHERE id <> id::uuid::text OR project_id <> project_id::uuid::text`)).toBe(0);
    expect(await count('production', `"bazaar-vid_export_analytics" WHERE export_id <> export_id::uuid::text`)).toBe(0);
    expect(await count('production', `"bazaar-vid_user" WHERE id LIKE 'user\\_2XQLf%'`)).toBe(63);
    expect(await count('production', `"bazaar-vid_exports" WHERE user_id LIKE 'user\\_2XQLf%'`)).toBeGreaterThan(0);
  });

  test('production has one GIN index, one serial and one identity column, and no key on the exports', async () => {
    expect(await count('production', `pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%USING gin%'`)).toBe(1);
    expect(await count('production', `pg_attribute WHERE attidentity <> '' AND attrelid::regclass::text LIKE '%bazaar-vid%'`)).toBe(1);
    expect(await count('production', `information_schema.columns WHERE table_schema = 'public' AND column_default LIKE 'nextval(%'`)).toBe(1);
    expect(await count('production', `pg_constraint WHERE contype = 'f' AND 'public."bazaar-vid_exports"'::regclass IN (conrelid, confrelid)`)).toBe(0);
    expect(await count('production', `pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND confdeltype = 'c'`)).toBeGreaterThan(15);
  });

  test('the variant with duplicates holds 4 new rows, 2 identical ones and 1 conflict', async () => {
    const pair = `api_usage_metric a JOIN "bazaar-vid_api_usage_metric" b USING (id)`;
    const same = `(a.provider, a.model, a."userId", a."projectId", a.success, a."responseTime", a."tokenCount", a."errorType", a.timestamp) IS NOT DISTINCT FROM
      (b.provider, b.model, b.user_id, b.project_id, b.success, b.response_time_ms, b.total_tokens, b.error_message, b.timestamp)`;
    expect(await count('production-duplicates', 'api_usage_metric')).toBe(7);
    expect(await count('production-duplicates', `${pair} WHERE ${same}`)).toBe(2);
    expect(await count('production-duplicates', `${pair} WHERE NOT (${same})`)).toBe(1);
  });

  test('development differs as the scenario says: types, one metrics table, three schemas, comments, the order of columns in three tables', async () => {
    expect(await typesOf('development', 'bazaar-vid_exports')).toEqual(
      expect.arrayContaining(['id uuid', 'user_id character varying(255)', 'project_id uuid']),
    );
    expect(await typesOf('development', 'bazaar-vid_export_analytics')).toContain('export_id text');
    expect(await typesOf('development-uuid', 'bazaar-vid_export_analytics')).toContain('export_id uuid');
    const tables = `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`;
    const [production, development] = [await rows('production', tables), await rows('development', tables)];
    expect(production.filter((t) => !development.includes(t))).toEqual(['bazaar-vid_api_usage_metric']);
    expect(development.filter((t) => !production.includes(t))).toEqual([]);
    const schemas = `SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' ORDER BY 1`;
    expect(await rows('production', schemas)).toEqual(['drizzle', 'public']);
    expect(await rows('development', schemas)).toEqual(['auth', 'drizzle', 'neon_auth', 'pgrst', 'public']);
    expect(await rows('development', `SELECT proname FROM pg_proc WHERE pronamespace IN ('auth'::regnamespace, 'pgrst'::regnamespace) ORDER BY 1`)).toEqual([
      'pre_config',
      'session',
      'user_id',
    ]);
    const comments = `pg_description WHERE objsubid > 0 AND classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)`;
    expect(await count('production', comments)).toBe(0);
    expect(await count('development', comments)).toBeGreaterThan(0);
    expect(await rows('production', `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace`)).toEqual(['show_db_tree']);
    const sorted = (columns: readonly string[]): readonly string[] => [...columns].sort();
    const reordered = [];
    for (const table of development) {
      const [here, there] = [await typesOf('production', table), await typesOf('development', table)];
      if (here.join() !== there.join() && sorted(here).join() === sorted(there).join()) reordered.push(table);
    }
    expect(reordered).toEqual(['bazaar-vid_credit_package', 'bazaar-vid_feedback', 'bazaar-vid_shared_video']);
  });

  test('both carry the Drizzle baseline, by the hash of its file and the time in the journal', async () => {
    const hash = createHash('sha256').update(readFileSync('examples/bazaar-vid/drizzle/0000_baseline.sql')).digest('hex');
    const journal = JSON.parse(readFileSync('examples/bazaar-vid/drizzle/meta/_journal.json', 'utf8')) as { entries: { when: number; tag: string }[] };
    for (const which of ['production', 'development'] as const) {
      expect(await rows(which, `SELECT hash || ' ' || created_at FROM drizzle.__drizzle_migrations`)).toEqual([`${hash} ${String(journal.entries[0]!.when)}`]);
    }
    expect(journal.entries.map((e) => e.tag)).toEqual(['0000_baseline', '0001_promo_and_paywall']);
  });

  test('a larger scale has as many times the users, exports and events, and the same orphans', async () => {
    const url = await cluster.create('scaled');
    await build(url, 'production', { scale: 3 });
    const { rows: found } = await cluster.admin(
      `SELECT (SELECT count(*)::int FROM "bazaar-vid_user") AS users, (SELECT count(*)::int FROM "bazaar-vid_exports") AS exports, (SELECT count(*)::int FROM "bazaar-vid_export_analytics") AS events,
       (SELECT count(*)::int FROM "bazaar-vid_exports" e WHERE NOT EXISTS (SELECT FROM "bazaar-vid_project" p WHERE p.id::text = e.project_id)) AS orphans`,
      'scaled',
    );
    expect(found).toEqual([{ users: 565 * 3, exports: 132 * 3 + 2, events: 373 * 3 + 6, orphans: 2 }]);
  });
});
