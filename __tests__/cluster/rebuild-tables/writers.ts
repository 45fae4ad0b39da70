import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { connectTo } from './fixture.js';

/** md5('p4')::uuid, a project of the fixture */
const project = '13207e3d-5722-030f-6c97-d69b4904d39d';

/** What one client knows to be in the tables: only what the server acknowledged. */
interface Own {
  readonly exports: Map<string, { progress: number; notes: number }>;
}

export interface WriterLog {
  readonly acknowledged: number;
  readonly errors: Readonly<Record<string, number>>;
  /** longest single statement or transaction in ms */
  readonly longestMs: number;
  /** rows that the acknowledged log says must be there and are not, or the other way round; asks the tables now */
  lost(client: pg.Client): Promise<string[]>;
  stop(): Promise<void>;
}

/**
 * `clients` sessions that insert, update, delete, change keys (with cascades) and hold short transactions, each on rows of
 * its own (render_id begins with `tag`), keeping what was acknowledged. A statement that fails did not happen; it is counted by its SQLSTATE.
 */
export function startWriters(url: string, clients: number, tag = 'w'): WriterLog {
  const owners: Own[] = [];
  const errors: Record<string, number> = {};
  let acknowledged = 0;
  let longestMs = 0;
  let going = true;
  const run = async (seed: number): Promise<void> => {
    const own: Own = { exports: new Map() };
    owners.push(own);
    const client = await connectTo(url);
    const isolation = seed % 4 === 0 ? 'REPEATABLE READ' : 'READ COMMITTED';
    await client.query(`SET default_transaction_isolation = '${isolation.toLowerCase()}'`);
    let turn = seed;
    const pick = (): string | undefined => [...own.exports.keys()][Math.floor(Math.random() * own.exports.size)];
    const act = async (sqls: [string, unknown[]][], then: () => void): Promise<void> => {
      const from = Date.now();
      try {
        if (sqls.length > 1) await client.query('BEGIN');
        for (const [sql, values] of sqls) await client.query(sql, values);
        if (sqls.length > 1) await client.query('COMMIT');
        then();
        acknowledged += 1;
      } catch (error) {
        const code = (error as { code?: string }).code ?? String(error);
        errors[code] = (errors[code] ?? 0) + 1;
        await client.query('ROLLBACK').catch(() => undefined);
      } finally {
        longestMs = Math.max(longestMs, Date.now() - from);
      }
    };
    while (going) {
      turn += 1;
      const id = pick();
      const now = id === undefined ? undefined : own.exports.get(id);
      const kind = turn % 6;
      if (id === undefined || now === undefined || kind === 0 || own.exports.size < 5) {
        const fresh = randomUUID();
        await act(
          [
            [
              `INSERT INTO "bazaar-vid_exports" (id, user_id, project_id, render_id, progress) VALUES ($1, 'user_3', $3, $2, 1)`,
              [fresh, `${tag}${fresh}`, project],
            ],
            [`INSERT INTO "Notes" VALUES ($1, 1, 'own')`, [fresh]],
            [`INSERT INTO "bazaar-vid_export_analytics" (export_id, event) VALUES ($1, 'own')`, [fresh]],
          ],
          () => own.exports.set(fresh, { progress: 1, notes: 1 }),
        );
      } else if (kind === 1 || kind === 2) {
        const progress = Math.floor(Math.random() * 1_000_000);
        await act([[`UPDATE "bazaar-vid_exports" SET progress = $2 WHERE id = $1`, [id, progress]]], () => own.exports.set(id, { ...now, progress }));
      } else if (kind === 3) {
        const notes = now.notes + 1;
        await act([[`INSERT INTO "Notes" VALUES ($1, $2, 'own')`, [id, notes]]], () => own.exports.set(id, { ...now, notes }));
      } else if (kind === 4) {
        // the key changes; notes follow by ON UPDATE CASCADE, analytics go first
        const next = randomUUID();
        await act(
          [
            [`DELETE FROM "bazaar-vid_export_analytics" WHERE export_id = $1`, [id]],
            [`UPDATE "bazaar-vid_exports" SET id = $2 WHERE id = $1`, [id, next]],
            [`INSERT INTO "bazaar-vid_export_analytics" (export_id, event) VALUES ($1, 'own')`, [next]],
          ],
          () => {
            own.exports.delete(id);
            own.exports.set(next, now);
          },
        );
      } else {
        // notes go by ON DELETE CASCADE
        await act(
          [
            [`DELETE FROM "bazaar-vid_export_analytics" WHERE export_id = $1`, [id]],
            [`DELETE FROM "bazaar-vid_exports" WHERE id = $1`, [id]],
          ],
          () => own.exports.delete(id),
        );
      }
      await new Promise((r) => setTimeout(r, 2));
    }
    await client.end();
  };
  const lanes = Array.from({ length: clients }, (_, i) => run(i));
  return {
    get acknowledged() {
      return acknowledged;
    },
    errors,
    get longestMs() {
      return longestMs;
    },
    async lost(client) {
      const expected = owners.flatMap((o) => [...o.exports].map(([id, e]) => `${id} ${String(e.progress)} ${String(e.notes)} 1`)).sort();
      const { rows } = await client.query<{ t: string }>(
        `SELECT e.id::text || ' ' || e.progress || ' ' || (SELECT count(*) FROM "Notes" n WHERE n.export_id = e.id) || ' ' || (SELECT count(*) FROM "bazaar-vid_export_analytics" a WHERE a.export_id = e.id) AS t FROM "bazaar-vid_exports" e WHERE render_id LIKE $1`,
        [`${tag}%`],
      );
      const found = new Set(rows.map((r) => r.t));
      const wanted = new Set(expected);
      return [...expected.filter((e) => !found.has(e)).map((e) => `lost ${e}`), ...[...found].filter((f) => !wanted.has(f)).map((f) => `extra ${f}`)];
    },
    async stop() {
      going = false;
      await Promise.all(lanes);
    },
  };
}
