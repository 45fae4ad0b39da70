import type { Db, ReadDb } from '../pg/db.js';
import type { RunId } from '../names.js';
import type { Json } from './step.js';

/**
 * Markers in lossless.done: a row written inside a step's own transaction, whose presence proves after a crash that the transaction
 * committed (the journal's receipt is written by another session and cannot). `apply`: the step's work is there. `kept`: an undo of
 * the step set created objects aside.
 */
export type Marker = 'apply' | 'kept';

/** Once before the transaction that will mark: creating the table inside it would fail an older snapshot. */
export async function prepareMarkers(db: Db): Promise<void> {
  if (!(await db.one<{ found: boolean }>('done/exists')).found) await db.change('done/create');
}

export async function mark(tx: Db, run: RunId, step: string, what: Marker, facts: Json): Promise<void> {
  await tx.change('done/save', { values: [run, step, what, JSON.stringify(facts)] });
}

export async function unmark(tx: Db, run: RunId, step: string, what: Marker): Promise<void> {
  await tx.change('done/forget', { values: [run, step, what] });
}

/** Facts of the marker, or null when the work is not there. */
export async function marked<Facts extends Json>(db: ReadDb, run: RunId, step: string, what: Marker): Promise<Facts | null> {
  if (!(await db.one<{ found: boolean }>('done/exists')).found) return null;
  return (await db.rows<{ facts: Facts }>('done/find', { values: [run, step, what] }))[0]?.facts ?? null;
}

/** Markers of every run and step. */
export async function allMarked<Facts extends Json>(
  db: ReadDb,
  what: Marker,
): Promise<readonly { readonly run: RunId; readonly step: string; readonly facts: Facts }[]> {
  if (!(await db.one<{ found: boolean }>('done/exists')).found) return [];
  return db.rows('done/all', { values: [what] });
}

/** At cleanup: removes the marker, and the table with the last one. */
export async function forgetMarker(db: Db, run: RunId, step: string, what: Marker): Promise<void> {
  if (!(await db.one<{ found: boolean }>('done/exists')).found) return;
  await db.change('done/forget', { values: [run, step, what] });
  await db.change('done/drop-empty');
}
