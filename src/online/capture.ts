import { inControl, trigger, type Relation, type RunId } from '../names.js';
import type { Db } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, type Sql } from '../pg/render.js';

/**
 * Capture: row triggers that write the key of every changed row into a log, and nothing else. Whoever carries the
 * rows later reads their state by key (drain.ts), so the log needs no order, no values and no sequence.
 *
 * How a step uses it, in this order (REBUILD 5.3, DECISIONS 25-26):
 *   1. `createCapture`  log and function; locks nothing of the application
 *   2. `installCapture` the triggers; one table per message; from its commit on every write is in the log
 *   3. copy, then drain (drain.ts) until the log is nearly empty
 *   4. inside the cut-over: lock, `PERFORM drain(2147483647)`, `dropTriggers(...)` in the same transaction
 *   5. `removeCapture`  trigger -> function -> log, in that order and safe to repeat: any other order breaks the application's writes
 */

/** One column of the key that identifies a row of the captured table. `type` is format_type's text, with COLLATE when it is not the type's own. */
export interface KeyColumn {
  readonly name: string;
  readonly type: Sql;
}

export interface Capture {
  readonly run: RunId;
  /** the table that is written by the application */
  readonly table: Relation;
  readonly key: readonly KeyColumn[];
  /** lossless.log_<run>_<oid>: k1 … kn in the key's types, op "char": U (look at this key), D (deleted), T (TRUNCATE: everything changed), X (the key could not be read) */
  readonly log: Relation;
  readonly fn: Relation;
}

/** The capture on the side that the application writes before a swap (`forward`) or after it (`reverse`). `oid` is the oid of the table as it was when the run began, in both. */
export const captureOf = (run: RunId, oid: number, table: Relation, key: readonly KeyColumn[], side: 'forward' | 'reverse' = 'forward'): Capture => ({
  run,
  table,
  key,
  log: inControl(side === 'forward' ? 'log' : 'rlog', run, oid),
  fn: inControl(side === 'forward' ? 'cap' : 'rcap', run, oid),
});

/** `k1, k2 …`, each with an optional prefix such as `l.` */
export const keyNames = (key: readonly KeyColumn[], prefix: Sql = fromCatalog('')): Sql =>
  join(key.map((_, i) => glue`${prefix}${fromCatalog(`k${String(i + 1)}`)}`));

const each = (key: readonly KeyColumn[], make: (column: KeyColumn, n: Sql) => Sql, separator: string): Sql =>
  join(
    key.map((column, i) => make(column, fromCatalog(String(i + 1)))),
    separator,
  );

/** Creates schema `lossless`, the log and the capture function. Safe to repeat. Locks: none of the application's. */
export async function createCapture(db: Db, capture: Capture): Promise<void> {
  const about = `Lossless run ${capture.run}: keys of rows of ${capture.table.schema}.${capture.table.name} that changed while the run is open. Removed by the rollback or cleanup phase of the run.`;
  await db.change('online/control-schema');
  await db.change('online/create-log', {
    names: { log: capture.log },
    parts: { columns: each(capture.key, (c, n) => glue`k${n} ${c.type}`, ', ') },
    literals: { about },
  });
  await db.change('online/create-capture', {
    names: { function: capture.fn, log: capture.log },
    literals: { about },
    parts: {
      variables: each(capture.key, (c, n) => glue`o${n} ${c.type}; n${n} ${c.type};`, ' '),
      read_old: each(capture.key, (c, n) => glue`o${n} := OLD.${ident(c.name)};`, ' '),
      read_new: each(capture.key, (c, n) => glue`n${n} := NEW.${ident(c.name)};`, ' '),
      old: each(capture.key, (_, n) => glue`o${n}`, ', '),
      new: each(capture.key, (_, n) => glue`n${n}`, ', '),
    },
  });
}

/** The statements that create the two capture triggers; for a cut-over that installs the capture of the other direction in its own transaction. Lock: SHARE ROW EXCLUSIVE. */
export const captureTriggers = (capture: Capture): readonly Sql[] => {
  const row = ident(trigger('capture', capture.run));
  const statement = ident(trigger('capture_t', capture.run));
  const table = ident(capture.table);
  const about = literal(`Lossless run ${capture.run}: notes the keys of changed rows. Removed by the rollback or cleanup phase of the run.`);
  return [
    glue`CREATE TRIGGER ${row} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${ident(capture.fn)}()`,
    glue`CREATE TRIGGER ${statement} AFTER TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION ${ident(capture.fn)}()`,
    glue`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${row}, ENABLE ALWAYS TRIGGER ${statement}`,
    glue`COMMENT ON TRIGGER ${row} ON ${table} IS ${about}`,
    glue`COMMENT ON TRIGGER ${statement} ON ${table} IS ${about}`,
  ];
};

/** Every trigger of ours on a table of the run, dropped if it is there. Lock: ACCESS EXCLUSIVE. */
export const dropTriggers = (
  run: RunId,
  table: Relation,
  kinds: readonly Parameters<typeof trigger>[0][] = ['capture', 'capture_t', 'guard', 'fence_s', 'fence_r'],
): readonly Sql[] => kinds.map((kind) => glue`DROP TRIGGER IF EXISTS ${ident(trigger(kind, run))} ON ${ident(table)}`);

/**
 * A short DDL message on one table that gives way to writers: first SHARE UPDATE EXCLUSIVE with 3 s, which stops nobody
 * but makes autovacuum give way (it does so only to a waiter older than deadlock_timeout), then the statements with at
 * most 200 ms for their own lock. Retried as a whole; LockNotGranted names the blockers in the end.
 */
export async function alterOnline(db: Db, table: Relation, statements: readonly Sql[], about: string, maxLockMs = 200): Promise<void> {
  await db.message(
    [
      fromCatalog('BEGIN ISOLATION LEVEL READ COMMITTED'),
      fromCatalog("SET LOCAL lock_timeout = '3s'"),
      glue`LOCK TABLE ${ident(table)} IN SHARE UPDATE EXCLUSIVE MODE`,
      fromCatalog(`SET LOCAL lock_timeout = ${String(Math.min(200, maxLockMs))}`),
      ...statements,
      fromCatalog('COMMIT'),
    ],
    { about },
  );
}

/** Installs the triggers; when it resolves, every later write is logged, and so is one that was waiting. Not to be called when they are there already. Lock: SHARE ROW EXCLUSIVE for milliseconds; waits for open writers. */
export const installCapture = (db: Db, capture: Capture, maxLockMs?: number): Promise<void> =>
  alterOnline(db, capture.table, captureTriggers(capture), 'online/install-capture', maxLockMs);

/** What `pg_trigger` says about the two triggers, xmin included: a DISABLE and ENABLE in between changes it (REBUILD R11). Compare with an earlier reading. */
export async function captureState(db: Pick<Db, 'one'>, capture: Capture): Promise<string> {
  const row = await db.one<{ state: string }>('online/capture-state', {
    literals: { table: ident(capture.table), row: trigger('capture', capture.run), statement: trigger('capture_t', capture.run) },
  });
  return row.state;
}

/** Triggers (when `table` still exists), then function, then log. Safe to repeat. Lock: ACCESS EXCLUSIVE on the table for milliseconds. */
export async function removeCapture(db: Db, capture: Capture, tableExists: boolean): Promise<void> {
  if (tableExists) await alterOnline(db, capture.table, dropTriggers(capture.run, capture.table, ['capture', 'capture_t']), 'online/remove-capture');
  await db.change('online/drop-function', { names: { function: capture.fn } });
  await db.change('online/drop-log', { names: { log: capture.log } });
}
