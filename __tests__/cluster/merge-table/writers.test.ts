import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { schema } from '../../../src/steps/merge-table/spec.js';
import { mergeTable, type MergeTableReceipt } from '../../../src/steps/merge-table/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

const spec = schema.parse({
  from: 'api_usage_metric',
  into: 'bazaar-vid_api_usage_metric',
  key: ['id'],
  columns: { user_id: '"userId"', project_id: '"projectId"', response_time_ms: '"responseTime"', total_tokens: '"tokenCount"', error_message: '"errorType"' },
  conflicts: 'quarantine',
});
const sides = [
  { table: 'public.api_usage_metric', ms: '"responseTime"' },
  { table: 'public."bazaar-vid_api_usage_metric"', ms: 'response_time_ms' },
] as const;

/** A client of the application: it writes where its rows are, and remembers what was acknowledged. */
class Writer {
  readonly acknowledged = new Map<string, number | null>();
  readonly errors: string[] = [];
  longest = 0;
  stopped = false;
  private constructor(private readonly client: pg.Client) {}
  static async open(cluster: Cluster, database: string): Promise<Writer> {
    const client = new pg.Client({ host: cluster.socket, port: cluster.port, user: 'app', database });
    await client.connect();
    return new Writer(client);
  }
  private async send(text: string, values: readonly unknown[]): Promise<number | null> {
    const began = Date.now();
    try {
      return (await this.client.query(text, [...values])).rowCount ?? 0;
    } catch (error) {
      this.errors.push((error as { code: string }).code);
      return null;
    } finally {
      this.longest = Math.max(this.longest, Date.now() - began);
    }
  }
  async run(): Promise<void> {
    for (let i = 0; !this.stopped; i += 1) {
      const live = [...this.acknowledged].filter(([, value]) => value !== null).map(([id]) => id);
      const id = live[Math.floor(Math.random() * live.length)];
      if (id === undefined || i % 3 === 0) {
        const fresh = randomUUID();
        for (const side of sides) {
          if ((await this.send(`INSERT INTO ${side.table} (id, provider, model, success, ${side.ms}) VALUES ($1, 'p', 'm', true, $2)`, [fresh, i])) === 1) {
            this.acknowledged.set(fresh, i);
            break;
          }
        }
      } else {
        const text =
          i % 7 === 0
            ? (t: string) => `DELETE FROM ${t} WHERE id = $1 AND $2::int IS NOT NULL`
            : (t: string, ms: string) => `UPDATE ${t} SET ${ms} = $2 WHERE id = $1`;
        // before the cut-over the source rules; a row that the source has not is in the target
        for (const side of sides) {
          if (((await this.send(text(side.table, side.ms), [id, i])) ?? 0) === 1) {
            this.acknowledged.set(id, i % 7 === 0 ? null : i);
            break;
          }
        }
      }
    }
    await this.client.end();
  }
}

describe('merge-table under live writers', () => {
  let cluster: Cluster;
  let t: TestContext;
  beforeAll(async () => {
    cluster = await startCluster();
    t = await stepContext(await cluster.create('live'), { approved: { 'public.api_usage_metric': 1 }, patienceMs: 30_000 });
    await t.db.script(readFileSync(new URL('fixture.sql', import.meta.url), 'utf8'), { file: 'fixture.sql' });
    await t.db.script(
      `INSERT INTO public.api_usage_metric (provider, model, success, "responseTime") SELECT 'p', 'm', true, g FROM generate_series(1, 8000) g`,
      { file: 'rows.sql' },
    );
  });
  afterAll(async () => {
    await t.close();
    await cluster.remove();
  });
  const lost = async (writers: readonly Writer[]): Promise<readonly string[]> => {
    const { rows } = await cluster
      .admin(sides.map((s) => `SELECT '${s.table}' AS place, id::text, ${s.ms} AS ms FROM ${s.table}`).join(' UNION ALL '), 'live')
      .catch(async () => cluster.admin(`SELECT 'into' AS place, id::text, response_time_ms AS ms FROM public."bazaar-vid_api_usage_metric"`, 'live'));
    const found = new Map<string, number[]>();
    for (const r of rows as { id: string; ms: number }[]) found.set(r.id, [...(found.get(r.id) ?? []), r.ms]);
    return writers.flatMap((w) =>
      [...w.acknowledged]
        .filter(([id, ms]) => JSON.stringify(found.get(id) ?? []) !== JSON.stringify(ms === null ? [] : [ms]))
        .map(([id, ms]) => `${id} expected ${String(ms)}, found ${JSON.stringify(found.get(id))}`),
    );
  };
  const during = async (work: () => Promise<void>): Promise<readonly Writer[]> => {
    const writers = await Promise.all(Array.from({ length: 8 }, () => Writer.open(cluster, 'live')));
    const running = writers.map((w) => w.run());
    await new Promise((r) => setTimeout(r, 500));
    try {
      await work();
      await new Promise((r) => setTimeout(r, 500));
    } finally {
      for (const w of writers) w.stopped = true;
      await Promise.all(running);
    }
    return writers;
  };

  test('no acknowledged write is lost by the merge, nor by its undo', async () => {
    const slot = new MemorySlot<MergeTableReceipt>();
    const there = await during(() => mergeTable.apply(t.cx, spec, slot));
    expect(await lost(there)).toEqual([]);
    expect((await mergeTable.watch(t.cx, spec, slot.last!)).findings).toEqual([]);
    expect((await mergeTable.verify(t.cx, spec, slot.last!)).checks.filter((c) => c.verdict !== 'pass')).toEqual([]);
    const back = await during(() => mergeTable.undo(t.cx, spec, slot.last));
    expect(await lost(back)).toEqual([]);
    expect(await lost(there)).toEqual([]);
    const all = [...there, ...back];
    expect([...new Set(all.flatMap((w) => w.errors))].filter((code) => !['40001', '42P01'].includes(code))).toEqual([]);
    expect(Math.max(...all.map((w) => w.longest))).toBeLessThan(2500);
    const held = t.events.flatMap((e) => (e.type === 'lock-held' ? [e.ms] : []));
    expect(Math.max(...held)).toBeLessThanOrEqual(1000);
    console.log(
      `${String(all.reduce((n, w) => n + w.acknowledged.size, 0))} rows written, longest wait ${String(Math.max(...all.map((w) => w.longest)))} ms, locks held ${held.join(', ')} ms`,
    );
  });
});
