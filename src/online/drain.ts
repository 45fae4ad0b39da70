import { QueryFailed, UserError } from '../errors.js';
import { display, type Relation } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../pg/render.js';
import { keyNames, type Capture, type KeyColumn } from './capture.js';

/**
 * Drain: carries the rows behind logged keys to the other side. State-based: for each key the target row is removed and
 * made again from what the source holds now, so the order of the log does not matter. One REPEATABLE READ snapshot per
 * call: the log rows read are exactly those deleted, and the state is of the same snapshot (REBUILD 5.7, R15-R17).
 */
export interface Drain {
  readonly log: Relation;
  /** the function made by `createDrain`; in a cut-over: PERFORM fn(2147483647) */
  readonly fn: Relation;
  /** source and target, locked in ACCESS SHARE mode before the snapshot */
  readonly locks: readonly Relation[];
}

/** The whole log in one call. */
export const WHOLE_LOG = 2147483647;
const BATCH = 20_000;

/**
 * Creates the drain function of a log. `apply` is PL/pgSQL (statements ending in `;`) that may use:
 *   `ks1` … `ksn`  arrays of the distinct logged keys, one per key column, in the log's types (empty, never NULL)
 *   `truncated`    true: a TRUNCATE is among them; everything must be made again from the source, `ks…` may be ignored
 *   `lim`          WHOLE_LOG when rows may have exchanged unique values: then remove all rows first and make them again
 *   `variables`    further declarations (`name type;`)
 * It runs with `lossless.apply` on: fences let it pass and captures log nothing. Columns win over variables of the same name.
 */
export async function createDrain(
  db: Db,
  capture: Pick<Capture, 'log' | 'key' | 'run' | 'table'>,
  fn: Relation,
  apply: Sql,
  variables: Sql = fromCatalog(''),
): Promise<void> {
  const n = (i: number): Sql => fromCatalog(String(i + 1));
  const base = (c: KeyColumn): Sql => fromCatalog(c.type.replace(/ COLLATE .*$/s, ''));
  await db.change('online/create-drain', {
    names: { function: fn, log: capture.log },
    literals: { about: `Lossless run ${capture.run}: carries changed rows of ${display(capture.table)}. Removed by the rollback or cleanup phase of the run.` },
    parts: {
      variables: glue`${join(
        capture.key.map((c, i) => glue`ks${n(i)} ${base(c)}[];`),
        ' ',
      )} ${variables}`,
      columns: keyNames(capture.key),
      arrays: join(capture.key.map((_, i) => glue`coalesce(array_agg(k${n(i)}), '{}')`)),
      into: join(capture.key.map((_, i) => glue`ks${n(i)}`)),
      apply,
    },
  });
}

/** Takes at most `limit` log rows. Returns how many it took; 0: the log is empty. Locks: ACCESS SHARE on source and target, ROW EXCLUSIVE on the target. */
async function drainOnce(db: Db, drain: Drain, limit: number): Promise<number> {
  return db.transaction(
    async (tx) => {
      await tx.change('online/share-lock', { parts: { tables: join(drain.locks.map((r) => ident(r))) } });
      await tx.rows('online/drain-lock', { literals: { log: display(drain.log) } });
      const { taken } = await tx.one<{ taken: number }>('online/drain', { names: { function: drain.fn }, values: [limit] });
      return taken;
    },
    { isolation: 'repeatable read', lockTimeoutMs: 200 },
  );
}

/**
 * Drains until a call takes fewer than `until` rows (default: until it took nothing). `carried` hears the rows of each call.
 * Values that two rows exchanged may collide when only one of them is in a batch (23505): then the whole log is taken once;
 * if that collides as well it is a true collision. Errors: UserError in that case; nothing was lost, the log still holds the keys.
 */
export async function drainUntil(
  db: Db,
  drain: Drain,
  options: { readonly until?: number; readonly batch?: number; readonly carried?: (rows: number) => void } = {},
): Promise<number> {
  const until = options.until ?? 1;
  let total = 0;
  for (;;) {
    let taken: number;
    try {
      taken = await drainOnce(db, drain, options.batch ?? BATCH);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      try {
        taken = await drainOnce(db, drain, WHOLE_LOG);
      } catch (again) {
        if (!isUniqueViolation(again)) throw again;
        throw new UserError(`changed rows cannot be carried: ${again.message}`, {
          hint: 'Two rows that differ before the conversion are equal after it. Change one of them in the application, then run again.',
          cause: again,
        });
      }
    }
    total += taken;
    options.carried?.(taken);
    if (taken >= until) continue;
    // a long backlog leaves as many dead rows, which every later look at the log would read again
    if (total >= BATCH) await db.change('online/vacuum-log', { names: { log: drain.log } });
    return total;
  }
}

/** Exclusion constraints (23P01) are of the same kind. */
const isUniqueViolation = (error: unknown): error is QueryFailed => error instanceof QueryFailed && ['23505', '23P01'].includes(error.sqlstate);

export interface Backlog {
  readonly waiting: number;
  /** an X marker: the application changed the key columns, so what it wrote cannot be followed */
  readonly unreadable: boolean;
  readonly truncated: boolean;
}

/** What waits in a log. */
export const backlog = (db: Pick<ReadDb, 'one'>, log: Relation): Promise<Backlog> => db.one<Backlog>('online/backlog', { names: { log } });
