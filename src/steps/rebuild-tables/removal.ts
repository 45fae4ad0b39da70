import { alterOnline, dropTriggers } from '../../online/capture.js';
import { inControl, type RunId } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { ident } from '../../pg/render.js';
import type { Group, Rebuilt } from './design.js';
import { runSchemas } from './shadow.js';

/** Taking away what is ours, in the one order that never breaks a write of the application: triggers, functions, logs, tables, schemas. Every function here is safe to repeat. */

const kinds = ['cap', 'drain', 'rcap', 'rdrain', 'guard', 'fence', 'fits', 'keyfits'] as const;
type Function = (typeof kinds)[number];

/** Our triggers on the table that the application uses. Lock: ACCESS EXCLUSIVE for milliseconds, one table per transaction. */
export async function removeTriggers(db: Db, run: RunId, t: Rebuilt): Promise<void> {
  const { length } = await db.rows('rebuild-tables/exists', { values: [[ident(t.table)]] });
  if (length > 0 && (await db.rows('rebuild-tables/our-triggers', { values: [ident(t.table), `%\\_${run}`] })).length > 0)
    await alterOnline(db, t.table, dropTriggers(run, t.table), 'rebuild-tables/remove-triggers');
}

export async function removeFunctions(db: Db, run: RunId, t: Rebuilt, which: readonly Function[] = kinds): Promise<void> {
  await db.change('rebuild-tables/drop-functions', { literals: { names: which.map((kind) => inControl(kind, run, t.oid).name).join(',') } });
}

export async function removeLogs(db: Db, run: RunId, t: Rebuilt): Promise<void> {
  for (const kind of ['log', 'rlog'] as const) await db.change('online/drop-log', { names: { log: inControl(kind, run, t.oid) } });
}

/** Tables of the run in our schemas: shadows or failed tables, retired originals. */
export async function removeTables(db: Db, group: Group, which: readonly ('shadow' | 'old')[]): Promise<void> {
  for (const t of group.tables) for (const side of which) await db.change('rebuild-tables/drop-table', { names: { table: t[side] } });
}

export async function removeSchemas(db: Db, run: RunId, group: Group): Promise<void> {
  for (const schema of runSchemas(run, group)) await db.change('rebuild-tables/drop-schema', { literals: { schema } });
}
