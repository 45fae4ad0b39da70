import { QueryFailed, UserError } from '../errors.js';
import { block } from '../finding.js';
import { display, oldSchema, type Relation, type RunId } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, render, type Sql } from '../pg/render.js';
import { dropTriggers } from '../online/capture.js';
import { fenceTriggers } from '../online/guard.js';
import type { StepContext } from '../steps/step.js';
import { foreignKeysFrom, oidList, tableFacts, type TableFacts } from './tables.js';

/** A foreign key that was dropped with a retirement, as the undo makes it again (DECISIONS 27). */
export type DroppedKey = {
  readonly name: string;
  readonly definition: string;
  readonly valid: boolean;
  readonly comment: string | null;
  readonly parent: { readonly schema: string; readonly name: string };
};

/** A table that was, or is about to be, moved out of sight: what a receipt keeps of it. */
export type Moved = {
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  /** the schema that keeps it */
  readonly home: string;
  readonly statistics: readonly { readonly schema: string; readonly name: string }[];
  readonly keys: readonly DroppedKey[];
};

export const at = (t: Moved): Relation => ({ schema: t.home, name: t.name });

/** Reads the tables as they are now and decides where each will be kept. Errors: UserError when one is missing. */
export async function plannedMoves(db: ReadDb, run: RunId, tables: readonly Relation[]): Promise<readonly Moved[]> {
  const facts = await tableFacts(db, tables);
  const found = facts.map((f, i): TableFacts => {
    if (f === null)
      throw new UserError(`table ${display(tables[i] ?? { schema: '', name: '' })} is not there any more`, {
        hint: 'Somebody dropped or renamed it since preflight; nothing of this step was done.',
      });
    return f;
  });
  const keys = await foreignKeysFrom(
    db,
    found.map((f) => f.oid),
  );
  const moves: Moved[] = [];
  for (const f of found) {
    moves.push({
      schema: f.schema,
      name: f.name,
      oid: f.oid,
      home: await homeFor(db, run, f, moves),
      statistics: f.statistics,
      keys: keys.filter((k) => k.oid === f.oid).map(({ name, definition, valid, comment, parent }) => ({ name, definition, valid, comment, parent })),
    });
  }
  return moves;
}

/** The run's first old schema in which no name of the table, its indexes or its sequences is taken: two source schemas may use one name. */
async function homeFor(db: ReadDb, run: RunId, table: TableFacts, before: readonly Moved[]): Promise<string> {
  for (let i = 0; ; i += 1) {
    const home = oldSchema(run, i);
    if (before.some((m) => m.home === home && m.schema !== table.schema)) continue;
    const taken = await db.rows('retire/taken', { values: [home, [table.oid]] });
    if (taken.length === 0) return home;
  }
}

/** Makes the schema that keeps what the run retires. Repeatable. */
export async function makeHome(cx: StepContext, schema: string): Promise<void> {
  const until = cx.keepUntil === undefined ? 'until the run is cleaned up' : `until ${cx.keepUntil.toISOString()}`;
  const comment = `Lossless: what run ${cx.run} retired, kept ${until} for a rollback. The phase cleanup archives and drops it. By hand, when no rollback is wanted: DROP SCHEMA ${schema} CASCADE`;
  await cx.db.change('retire/make-schema', { names: { schema }, literals: { comment } });
}

/** Drops the schema when nothing is left in it. Repeatable. */
export async function dropHome(db: Db, schema: string): Promise<void> {
  const { found, objects } = await db.one<{ found: boolean; objects: number }>('retire/contents-of-schema', { values: [schema] });
  if (found && objects === 0) await db.change('retire/drop-schema', { names: { schema } });
}

const parentsOf = (moves: readonly Moved[]): readonly Relation[] => moves.flatMap((m) => m.keys.map((k) => k.parent));
/** Quoted, each once, in one order for everybody; '' when there are none. */
export const lockList = (relations: readonly Relation[]): Sql => {
  const unique = new Map(relations.map((r) => [display(r), r]));
  return join([...unique.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, r]) => ident(r)));
};

/** Raised under the lock by sql/retire/move-out.sql: what was read before no longer holds. Nothing was changed. */
export type Stale = 'not-empty' | 'changed' | 'dependent';
const stale: Readonly<Record<string, Stale>> = { LS001: 'not-empty', LS002: 'changed', LS003: 'dependent' };

/**
 * Moves tables out of sight in one message: ACCESS EXCLUSIVE on them and on the parents of their foreign keys, at most `maxLockMs`.
 * Returns the milliseconds the lock was held. Errors: UserError when a table is not empty or got a dependent; null when it changed
 * since `moves` was read (read again and repeat); LockNotGranted.
 */
export async function moveOut(cx: StepContext, moves: readonly Moved[], onlyEmpty: boolean): Promise<number | null> {
  const locks = lockList([...moves, ...parentsOf(moves)]);
  const tables = literal(JSON.stringify(moves.map((m) => ({ ...m, keys: Object.fromEntries(m.keys.map((k) => [k.name, k.definition])) }))));
  const body = render('retire/move-out', {
    parts: {
      locks,
      tables,
      only_empty: fromCatalog(String(onlyEmpty)),
      dependents: render('retire/dependents', { parts: { oids: oidList(moves.map((m) => m.oid)) } }),
      fences: join(
        moves.flatMap((m) => fenceTriggers(cx.run, m.oid, at(m))),
        ';\n',
      ),
    },
  });
  try {
    return await underLock(cx, locks, body, `retire ${moves.map(display).join(', ')}`);
  } catch (error) {
    const reason = error instanceof QueryFailed ? stale[error.sqlstate] : undefined;
    if (reason === undefined) throw error;
    if (reason === 'changed') return null;
    const what = (error as QueryFailed).message;
    const finding =
      reason === 'not-empty'
        ? block('table-not-empty', `${what} was empty before and has rows now`, {
            object: what,
            hint: 'Something writes to it: find out what, then retire it without `only-if: empty` or keep it.',
          })
        : block('has-dependents', `${what} came to depend on a table of this step since preflight`, { object: what, hint: 'Drop it or keep the table.' });
    cx.report({ type: 'found', finding: { ...finding, step: cx.stepId } });
    throw new UserError(finding.message, { hint: finding.hint ?? '', cause: error });
  }
}

/**
 * Moves retired tables back and makes their foreign keys again, in one message; then validates the keys that were valid.
 * A key whose rows lost their parent meanwhile stays NOT VALID and is reported. Accepts tables that are already back.
 */
export async function moveBack(cx: StepContext, moves: readonly Moved[]): Promise<void> {
  const where = await whereabouts(
    cx.db,
    moves.map((m) => m.oid),
  );
  const away = moves.filter((m) => where.get(m.oid)?.schema === m.home);
  for (const m of moves) {
    const now = where.get(m.oid);
    if (now === undefined)
      throw new UserError(`${display(m)} cannot be brought back: neither it nor ${display(at(m))} exists`, {
        hint: 'Somebody dropped the retired table; restore it from the backup of this run.',
      });
    if (now.schema !== m.home && (now.schema !== m.schema || now.name !== m.name)) {
      throw new UserError(`${display(m)} cannot be brought back: the retired table is now ${now.schema}.${now.name}`, {
        hint: `Move it back to ${display(at(m))}, then undo again.`,
      });
    }
  }
  const missing = moves.flatMap((m) =>
    m.keys.filter((k) => !(where.get(m.oid)?.keys ?? []).some((have) => have.name === k.name)).map((k) => ({ ...k, schema: m.schema, table: m.name })),
  );
  if (away.length > 0 || missing.length > 0) {
    const locks = lockList([...moves.map((m) => (away.includes(m) ? at(m) : m)), ...missing.map((k) => back(k.parent, away))]);
    const keys = missing.map((k) => ({ schema: k.schema, table: k.table, name: k.name, comment: k.comment, definition: unvalidated(k.definition) }));
    const body = render('retire/move-back', {
      parts: {
        locks,
        tables: json(away),
        keys: json(keys),
        unfence: join([...away.flatMap((m) => dropTriggers(cx.run, at(m), ['fence_s', 'fence_r'])), fromCatalog('NULL')], ';\n'),
      },
    });
    await underLock(cx, locks, body, `bring back ${moves.map(display).join(', ')}`);
  }
  for (const m of moves) for (const key of m.keys) if (key.valid) await validate(cx, m, key);
}

/** A parent that is itself still retired is locked where it is. */
const back = (parent: Relation, away: readonly Moved[]): Relation => {
  const moved = away.find((m) => m.schema === parent.schema && m.name === parent.name);
  return moved === undefined ? parent : at(moved);
};

export const json = (value: unknown): Sql => literal(JSON.stringify(value));
export const unvalidated = (definition: string): string => (/ NOT (VALID|ENFORCED)$/.test(definition) ? definition : `${definition} NOT VALID`);

/** Validates a key that was made again; one whose rows lost their parent meanwhile stays NOT VALID and is reported. */
export async function validate(cx: StepContext, m: Relation & { readonly oid: number }, key: Pick<DroppedKey, 'name'>): Promise<void> {
  const now = (await whereabouts(cx.db, [m.oid])).get(m.oid)?.keys.find((k) => k.name === key.name);
  if (now === undefined || now.valid) return;
  try {
    await cx.db.change('retire/validate', { names: { table: m, key: key.name } });
  } catch (error) {
    if (!(error instanceof QueryFailed) || error.sqlstate !== '23503') throw error;
    cx.report({
      type: 'found',
      finding: block(
        'key-left-unvalidated',
        `foreign key ${key.name} of ${display(m)} is back but not validated: rows lost their parent while the table was retired`,
        {
          step: cx.stepId,
          object: key.name,
          hint: `Decide about those rows, then ALTER TABLE … VALIDATE CONSTRAINT "${key.name}".`,
        },
      ),
    });
  }
}

export interface Whereabouts {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly keys: readonly { readonly name: string; readonly valid: boolean }[];
  /** names of the fences that stand, ENABLE ALWAYS */
  readonly fences: readonly string[];
}

/** Where the tables are now, by oid. Locks nothing. */
export async function whereabouts(db: ReadDb, oids: readonly number[]): Promise<ReadonlyMap<number, Whereabouts>> {
  const rows = oids.length === 0 ? [] : await db.rows<Whereabouts>('retire/whereabouts', { values: [oids] });
  return new Map(rows.map((r) => [r.oid, r]));
}

/** `LOCK TABLE … IN … MODE`, or `otherwise` when there is no table. */
export const lockTables = (locks: Sql, mode: 'SHARE UPDATE EXCLUSIVE' | 'ACCESS EXCLUSIVE', otherwise: 'SELECT 1' | 'NULL'): Sql =>
  locks === '' ? fromCatalog(otherwise) : glue`LOCK TABLE ${locks} IN ${fromCatalog(mode)} MODE`;

/** Sends a DO block as one message within the lock budget; returns the milliseconds from its lock request to commit and reports them. */
export async function underLock(cx: StepContext, locks: Sql, body: Sql, about: string): Promise<number> {
  return cx.db.session('swap', async (db) => {
    const budget = literal(`${String(cx.budget.maxLockMs)}ms`);
    // bounds the commit too; older servers have only the timeout of the statement
    const limit = db.version >= 170000 ? glue`SET LOCAL transaction_timeout = ${budget}` : glue`SET LOCAL idle_in_transaction_session_timeout = ${budget}`;
    const frame = render('retire/message', { parts: { first: lockTables(locks, 'SHARE UPDATE EXCLUSIVE', 'SELECT 1'), budget, limit, body: literal(body) } });
    await db.message([frame], { about });
    const { ms } = await db.one<{ ms: number }>('retire/locked-for');
    cx.report({ type: 'sql', step: cx.stepId, text: frame });
    cx.report({ type: 'lock-held', step: cx.stepId, object: about, ms });
    return ms;
  });
}
