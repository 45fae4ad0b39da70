import { inControl, trigger, type Relation, type RunId } from '../names.js';
import type { Db } from '../pg/db.js';
import { glue, ident, literal, type Sql } from '../pg/render.js';

/**
 * Guard and fence, the two triggers without which a swap loses rows silently (REBUILD R2-R5, D1, D2):
 * the guard, on the table that comes into use, refuses writes of REPEATABLE READ transactions that are older than the
 * swap; the fence, on the table that goes out of use, refuses every write but those of our own drains. Both raise 40001.
 */
export const guardFunction = (run: RunId, oid: number): Relation => inControl('guard', run, oid);
export const fenceFunction = (run: RunId, oid: number): Relation => inControl('fence', run, oid);

const about = (run: RunId, what: string): string => `Lossless run ${run}: ${what} Removed by the rollback or cleanup phase of the run.`;

/** Creates both functions, the guard awake. Safe to repeat. Needs schema `lossless`. */
export async function createGuardAndFence(db: Db, run: RunId, oid: number): Promise<void> {
  await db.change('online/create-guard', {
    names: { function: guardFunction(run, oid) },
    literals: { about: about(run, 'refuses writes of transactions that are older than the swap.') },
  });
  await db.change('online/create-fence', {
    names: { function: fenceFunction(run, oid) },
    literals: { about: about(run, 'keeps a table that was taken out of use as it is.') },
  });
}

/**
 * Statements for the DO block of a swap (PL/pgSQL). The swap's xid must be an argument of the trigger: a row that holds it
 * would be invisible to just those snapshots that matter.
 */
export const guardTriggers = (run: RunId, oid: number, table: Relation): readonly Sql[] => {
  const name = ident(trigger('guard', run));
  const create = glue`CREATE TRIGGER ${name} BEFORE INSERT OR UPDATE OR DELETE ON ${ident(table)} FOR EACH STATEMENT EXECUTE FUNCTION ${ident(guardFunction(run, oid))}(`;
  return [
    glue`EXECUTE ${literal(create)} || pg_catalog.quote_literal(pg_catalog.pg_current_xact_id()::text) || ')'`,
    glue`ALTER TABLE ${ident(table)} ENABLE ALWAYS TRIGGER ${name}`,
    glue`COMMENT ON TRIGGER ${name} ON ${ident(table)} IS ${literal(about(run, 'refuses writes of transactions that are older than the swap.'))}`,
  ];
};

/** Statements that fence a table: for every row and, for TRUNCATE and for rules that reach it, every statement. Lock: SHARE ROW EXCLUSIVE. */
export const fenceTriggers = (run: RunId, oid: number, table: Relation): readonly Sql[] => {
  const row = ident(trigger('fence_r', run));
  const statement = ident(trigger('fence_s', run));
  const fn = ident(fenceFunction(run, oid));
  const target = ident(table);
  return [
    glue`CREATE TRIGGER ${statement} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${target} FOR EACH STATEMENT EXECUTE FUNCTION ${fn}()`,
    glue`CREATE TRIGGER ${row} BEFORE INSERT OR UPDATE OR DELETE ON ${target} FOR EACH ROW WHEN (pg_catalog.current_setting('lossless.apply', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION ${fn}()`,
    glue`ALTER TABLE ${target} ENABLE ALWAYS TRIGGER ${statement}, ENABLE ALWAYS TRIGGER ${row}`,
    glue`COMMENT ON TRIGGER ${statement} ON ${target} IS ${literal(about(run, 'keeps a table that was taken out of use as it is.'))}`,
    glue`COMMENT ON TRIGGER ${row} ON ${target} IS ${literal(about(run, 'keeps a table that was taken out of use as it is.'))}`,
  ];
};

/** Virtual transaction ids open in this database now: those a swap that just committed must outwait. */
export const openTransactions = async (db: Db): Promise<readonly string[]> => (await db.one<{ open: string[] }>('online/snapshots')).open;

/** Makes the guard a no-op when none of `straddling` is open any more; returns those that still are. A guard left awake would refuse writes after a dump and restore. */
export async function restGuard(db: Db, run: RunId, oids: readonly number[], straddling: readonly string[]): Promise<readonly string[]> {
  const open = straddling.length === 0 ? [] : (await db.one<{ open: string[] }>('online/still-open', { values: [straddling] })).open;
  if (open.length > 0) return open;
  for (const oid of oids) await db.change('online/rest-guard', { names: { function: guardFunction(run, oid) } });
  return [];
}

/** Drops both functions; their triggers must be gone. Safe to repeat. */
export async function dropGuardAndFence(db: Db, run: RunId, oid: number): Promise<void> {
  await db.change('online/drop-function', { names: { function: guardFunction(run, oid) } });
  await db.change('online/drop-function', { names: { function: fenceFunction(run, oid) } });
}
