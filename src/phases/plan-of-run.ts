import { NotProved } from '../errors.js';
import { Journal, type RunRow } from '../journal/journal.js';
import type { ReadDb } from '../pg/db.js';
import type { Plan } from '../plan/plan.js';
import { planFromFiles } from '../plan/read.js';
import { kinds } from '../steps/index.js';

/** The plan of a stored run and its files: watch, rollback, cleanup and status need neither the plan file nor an artifact (DECISIONS 4). */
export async function planOfRun(db: ReadDb, row: RunRow): Promise<{ readonly plan: Plan; readonly files: ReadonlyMap<string, Uint8Array> }> {
  const stored = await Journal.readFiles(db, row.id);
  const source = stored.get(planEntry);
  if (source === undefined)
    throw new NotProved(`run ${row.id}: its plan is not in the journal`, { hint: 'The journal was changed by hand. Restore lossless.file from a backup.' });
  const files = new Map([...stored].filter(([path]) => path !== planEntry));
  return { plan: await planFromFiles(Buffer.from(source).toString('utf8'), row.planFile, files, kinds), files };
}

/** Key of the plan's own text among the stored files; no relative path is empty. */
export const planEntry = '';
