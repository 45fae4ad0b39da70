import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { build } from '../../examples/bazaar-vid/fixture.mjs';
import { startWriters } from '../../examples/bazaar-vid/writers.mjs';
import { startCluster, type Cluster } from '../support/cluster.js';

const seed = readFileSync('examples/bazaar-vid/database-migration-plan.md', 'utf8');

/** The SQL of a section of the seed, as written. */
function sqlOf(heading: string): string {
  const section = seed.split(/^(?=#{2,3} )/m).find((part) => part.startsWith(`### ${heading}`));
  const block = section === undefined ? null : /```sql\n([\s\S]*?)```/.exec(section);
  if (block === null) throw new Error(`the seed has no SQL under "### ${heading}"`);
  return block[1]!;
}

/** Steps 1 to 5 of the seed's section 2.1, by number. */
const exportSteps = Object.fromEntries([...sqlOf('2.1').matchAll(/-- STEP (\d)[^\n]*\n([\s\S]*?)(?=-- STEP|$)/g)].map((m) => [Number(m[1]), m[2]!])) as Record<
  1 | 2 | 3 | 4 | 5,
  string
>;
const rollback = sqlOf('7.2');
const [, mergeSql, dropSql] = /(INSERT[\s\S]*?;)[\s\S]*?(DROP TABLE[^;]*;)/.exec(sqlOf('3.1'))!;

const orphanProject = 'a161a5cc-886a-48dc-be84-84d31e131d88';
const noOrphans = `
  DELETE FROM "bazaar-vid_export_analytics" WHERE export_id IN (SELECT id FROM "bazaar-vid_exports" WHERE project_id = '${orphanProject}');
  DELETE FROM "bazaar-vid_exports" WHERE project_id = '${orphanProject}'`;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  await build(await cluster.create('production'), 'production');
  await build(await cluster.create('production-duplicates'), 'production-duplicates');
});
afterAll(async () => {
  await cluster.remove();
});

let made = 0;
async function onCopyOf(template: 'production' | 'production-duplicates', work: (db: pg.Client, url: string) => Promise<void>): Promise<void> {
  made += 1;
  const name = `naive-${String(made)}`;
  const url = await cluster.create(name, template);
  const db = new pg.Client({ connectionString: url });
  await db.connect();
  try {
    await work(db, url);
  } finally {
    await db.end();
    await cluster.drop(name);
  }
}

const count = async (db: pg.Client, from: string, values: readonly unknown[] = []): Promise<number> =>
  Number((await db.query<{ n: string }>(`SELECT count(*) AS n FROM ${from}`, [...values])).rows[0]!.n);

/** One export of the application, with a key it makes itself. */
async function insertExport(db: pg.Client, id: string): Promise<void> {
  await db.query(
    `INSERT INTO "bazaar-vid_exports" (id, user_id, project_id, render_id)
     SELECT $1, p."userId", p.id, $2 FROM "bazaar-vid_project" p ORDER BY p.id LIMIT 1`,
    [id, `render-${id}`],
  );
}

/** As psql does unless it is told to stop: a statement that fails is passed over. */
async function regardless(db: pg.Client, script: string): Promise<readonly string[]> {
  const codes: string[] = [];
  for (const statement of script.split(/;\s*\n/).filter((s) => s.trim() !== '')) {
    await db.query(statement).catch((error: unknown) => codes.push((error as { code: string }).code));
  }
  return codes;
}

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe("the seed's plan, its SQL as written", () => {
  test('step 4 fails: two exports have no project', async () => {
    await onCopyOf('production', async (db) => {
      for (const step of [1, 2, 3] as const) await db.query(exportSteps[step]);
      await expect(db.query(exportSteps[4])).rejects.toMatchObject({ code: '23503', constraint: 'exports_project_fk' });
    });
  });

  test('run without a stop at errors, it swaps in a table that lacks the key and keeps the orphans', async () => {
    await onCopyOf('production', async (db) => {
      for (const step of [1, 2, 3] as const) await db.query(exportSteps[step]);
      expect(await regardless(db, exportSteps[4])).toEqual(['23503']);
      await db.query(exportSteps[5]);
      expect(await count(db, `pg_constraint WHERE conname = 'exports_project_fk'`)).toBe(0);
      expect(await count(db, `"bazaar-vid_exports" WHERE project_id = $1`, [orphanProject])).toBe(2);
    });
  });

  test('writes between the copy and the rename are acknowledged and lost: an insert, an update and a delete', async () => {
    await onCopyOf('production', async (db) => {
      await db.query(noOrphans);
      const [changed, deleted] = (await db.query<{ id: string }>('SELECT id FROM "bazaar-vid_exports" ORDER BY id LIMIT 2')).rows;
      await db.query(exportSteps[1]);
      await db.query(exportSteps[2]);
      await insertExport(db, idOf(1));
      await db.query('UPDATE "bazaar-vid_exports" SET download_count = 4711 WHERE id = $1', [changed!.id]);
      await db.query('DELETE FROM "bazaar-vid_exports" WHERE id = $1', [deleted!.id]);
      for (const step of [3, 4, 5] as const) await db.query(exportSteps[step]);

      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1`, [idOf(1)])).toBe(0);
      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1 AND download_count = 4711`, [changed!.id])).toBe(0);
      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1`, [deleted!.id])).toBe(1);
    });
  });

  test('under eight live writers it loses acknowledged writes', async () => {
    await onCopyOf('production', async (db, url) => {
      const writers = await startWriters(url, { clients: 8, rate: 400 });
      const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 700));
      await aWhile();
      await db.query(exportSteps[1]);
      await db.query(exportSteps[2]);
      await aWhile();
      await regardless(db, exportSteps[3] + exportSteps[4]);
      await db.query(exportSteps[5]);
      await aWhile();
      const summary = await writers.stop();
      const { lost } = await writers.verify(url);
      expect(summary.acknowledged).toBeGreaterThan(100);
      expect(lost.length).toBeGreaterThan(0);
      console.log(`the seed's plan lost ${String(lost.length)} rows of ${String(summary.acknowledged)} acknowledged writes`);
    });
  });

  test('its rollback loses every write made since the swap', async () => {
    await onCopyOf('production', async (db) => {
      await db.query(noOrphans);
      for (const step of [1, 2, 3, 4, 5] as const) await db.query(exportSteps[step]);
      const [changed, deleted] = (await db.query<{ id: string }>('SELECT id FROM "bazaar-vid_exports" ORDER BY id LIMIT 2')).rows;
      await insertExport(db, idOf(2));
      await db.query('UPDATE "bazaar-vid_exports" SET download_count = 4711 WHERE id = $1', [changed!.id]);
      await db.query('DELETE FROM "bazaar-vid_exports" WHERE id = $1', [deleted!.id]);
      await db.query(rollback);

      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1`, [idOf(2)])).toBe(0);
      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1 AND download_count = 4711`, [changed!.id])).toBe(0);
      expect(await count(db, `"bazaar-vid_exports" WHERE id = $1`, [deleted!.id])).toBe(1);
    });
  });

  test('keys that point at the table stay on the old one', async () => {
    await onCopyOf('production', async (db) => {
      await db.query(noOrphans);
      await db.query(
        'ALTER TABLE "bazaar-vid_export_analytics" ADD CONSTRAINT inbound FOREIGN KEY (export_id) REFERENCES "bazaar-vid_exports"(id) ON DELETE CASCADE',
      );
      for (const step of [1, 2, 3, 4, 5] as const) await db.query(exportSteps[step]);

      const { rows } = await db.query<{ target: string }>(`SELECT confrelid::regclass::text AS target FROM pg_constraint WHERE conname = 'inbound'`);
      expect(rows[0]!.target).toBe('"bazaar-vid_exports_old"');
      await insertExport(db, idOf(3));
      await expect(db.query(`INSERT INTO "bazaar-vid_export_analytics" (export_id, event_type) VALUES ($1, 'viewed')`, [idOf(3)])).rejects.toMatchObject({
        code: '23503',
      });
      const { rows: withEvents } = await db.query<{ id: string; n: string }>(
        'SELECT export_id AS id, count(*) AS n FROM "bazaar-vid_export_analytics" GROUP BY 1 ORDER BY 1 LIMIT 1',
      );
      await db.query('DELETE FROM "bazaar-vid_exports" WHERE id = $1', [withEvents[0]!.id]);
      expect(await count(db, `"bazaar-vid_export_analytics" WHERE export_id = $1`, [withEvents[0]!.id])).toBe(Number(withEvents[0]!.n));
      await expect(db.query('DROP TABLE "bazaar-vid_exports_old"')).rejects.toMatchObject({ code: '2BP01' });
    });
  });

  test('the merge by SELECT * fails: the columns do not correspond', async () => {
    await onCopyOf('production-duplicates', async (db) => {
      await expect(db.query(mergeSql!)).rejects.toMatchObject({ code: '42804' });
    });
  });

  test('where the types happen to allow it, SELECT * puts values into other columns', async () => {
    await onCopyOf('production-duplicates', async (db) => {
      const early = 'ALTER TABLE api_usage_metric DROP COLUMN "responseTime", DROP COLUMN "tokenCount", DROP COLUMN "errorType", DROP COLUMN timestamp';
      await db.query(early);
      const merged = await db.query(mergeSql!);
      expect(merged.rowCount).toBe(4);
      const failedCalls = await count(db, 'api_usage_metric WHERE NOT success');
      expect(failedCalls).toBeGreaterThan(0);
      const misplaced = `"bazaar-vid_api_usage_metric" b JOIN api_usage_metric a USING (id) WHERE NOT a.success AND b.success AND b.tool_name = 'false'`;
      expect(await count(db, misplaced)).toBe(failedCalls);
    });
  });

  test('NOT IN loses every row when one id is NULL, and the table is dropped after it', async () => {
    await onCopyOf('production-duplicates', async (db) => {
      await db.query(`
        CREATE TABLE same_columns (LIKE "bazaar-vid_api_usage_metric");
        INSERT INTO same_columns (id, provider, model, success, timestamp) SELECT id, provider, model, success, timestamp FROM api_usage_metric;
        DROP TABLE api_usage_metric;
        ALTER TABLE same_columns RENAME TO api_usage_metric;
        ALTER TABLE "bazaar-vid_api_usage_metric" DROP CONSTRAINT "bazaar-vid_api_usage_metric_pkey", ALTER COLUMN id DROP NOT NULL;
        INSERT INTO "bazaar-vid_api_usage_metric" (id, provider, model) VALUES (NULL, 'openai', 'model-0')`);
      const onlyThere = 'api_usage_metric a WHERE NOT EXISTS (SELECT FROM "bazaar-vid_api_usage_metric" b WHERE b.id = a.id)';
      expect(await count(db, onlyThere)).toBe(4);
      const before = await count(db, '"bazaar-vid_api_usage_metric"');
      expect((await db.query(mergeSql!)).rowCount).toBe(0);
      await db.query(dropSql!);
      expect(await count(db, '"bazaar-vid_api_usage_metric"')).toBe(before);
    });
  });

  test('its check of row counts answers 1 for every table, whatever the table holds', async () => {
    await onCopyOf('production', async (db) => {
      const [, counts] = sqlOf('6.1').split('-- Verify row counts match');
      const { rows } = await db.query<{ table_name: string; count: string }>(counts!);
      expect(rows).toHaveLength(31);
      expect(new Set(rows.map((r) => r.count))).toEqual(new Set(['1']));
    });
  });
});
