import type { RunId } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { glue, literal, type Sql } from '../pg/render.js';

/**
 * Whether a swap happened: a row written in the swap's own transaction. After a lost connection or a kill this is the
 * only truth. `giveUp` competes for the same key, so that a swap still under way on the server cannot commit after
 * somebody decided that it had not happened.
 */
export type Direction = 'forward' | 'back';

export interface SwapRow {
  readonly state: 'swapped' | 'given-up';
  readonly xid: string;
  /** server time at the end of the swap's statements */
  readonly at: string;
  /** from the first lock request to the end of the swap's statements */
  readonly ms: number;
}

export async function readSwap(db: ReadDb, run: RunId, step: string, direction: Direction): Promise<SwapRow | null> {
  if (!(await db.one<{ found: boolean }>('online/swap-table-exists')).found) return null;
  return (await db.rows<SwapRow>('online/swap-row', { values: [run, step, direction] }))[0] ?? null;
}

/** Statement for the end of a swap's DO block; `began` is a PL/pgSQL timestamptz variable set before the first lock. A second swap, or one after `giveUp`, fails with 23505 and leaves nothing. */
export const recordSwap = (run: RunId, step: string, direction: Direction): Sql =>
  glue`INSERT INTO lossless.swap (run, step, direction, state, began) VALUES (${literal(run)}, ${literal(step)}, ${literal(direction)}, 'swapped', began)`;

/** Makes it impossible for the swap to happen from now on; returns the row that holds: 'given-up', or 'swapped' when it was too late. */
export async function giveUp(db: Db, run: RunId, step: string, direction: Direction): Promise<SwapRow | null> {
  await db.change('online/give-up-swap', { values: [run, step, direction] });
  return readSwap(db, run, step, direction);
}

/** Lets a swap that was given up be tried again. Whoever calls must have seen that it is not 'swapped'; a late message of the first try would meet the fingerprint check of the second, or the other way round. */
export async function tryAgain(db: Db, run: RunId, step: string, direction: Direction): Promise<void> {
  await db.change('online/try-swap-again', { values: [run, step, direction] });
}

/** After cleanup or an abort: no row of the step, and no table when it was the last. */
export async function forgetSwap(db: Db, run: RunId, step: string): Promise<void> {
  if (!(await db.one<{ found: boolean }>('online/swap-table-exists')).found) return;
  await db.change('online/forget-swap', { values: [run, step] });
  await db.change('online/drop-swap-table');
}
