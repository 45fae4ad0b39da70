import { z } from 'zod';
import { Bug, UserError } from '../errors.js';
import { block, type Finding } from '../finding.js';
import { display, isOurs, type Relation } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { glue, ident, join, type Sql } from '../pg/render.js';
import { relation, type PlanFrame } from '../plan/plan.js';
import type { TableAccount } from '../report/event.js';
import type { ReadContext, StepContext } from './step.js';

/** What the plan says about one table's rows: as many as before, perhaps fewer, or anything (it may even go). Unnamed: never fewer. */
export const rowsSchema = z
  .record(z.string().min(1), z.enum(['same', 'fewer', 'any'], { error: 'expected same, fewer or any' }))
  .describe(
    'tables whose rows may change: same (as many as before), fewer (some may go), any (the table may even go); a table that is not named may not lose a row',
  );
export type RowRules = z.infer<typeof rowsSchema>;

/** Exact rows of every table of the plan's schemas at one moment. A type, not an interface: it goes into receipts. */
export type Counts = readonly { readonly schema: string; readonly name: string; readonly rows: number }[];

/** Schemas that the guard counts: the plan's, without ours. */
export const guardedSchemas = (plan: PlanFrame): readonly string[] => plan.schemas.filter((schema) => !isOurs(schema));

/** Exact counts, table by table. One snapshot only inside a REPEATABLE READ transaction; ACCESS SHARE on every table until it ends. */
export async function countRows(cx: Pick<ReadContext, 'stepId' | 'report'>, db: ReadDb, plan: PlanFrame): Promise<Counts> {
  const tables = await db.rows<Relation & { partitioned: boolean }>('row-guard/tables', { values: [guardedSchemas(plan)] });
  const counts: { schema: string; name: string; rows: number }[] = [];
  for (const { schema, name, partitioned } of tables) {
    const { rows } = await db.one<{ rows: number }>('row-guard/count', {
      names: { table: { schema, name } },
      parts: { only: partitioned ? glue`` : glue`ONLY` },
    });
    counts.push({ schema, name, rows });
    cx.report({ type: 'progress', step: cx.stepId, what: 'tables counted', done: counts.length, of: tables.length, unit: 'tables' });
  }
  return counts;
}

/** Exact counts at one snapshot of their own. */
export const countAtOnce = (cx: StepContext): Promise<Counts> =>
  cx.db.session('reader', (db) => db.transaction((tx) => countRows(cx, tx, cx.plan), { isolation: 'repeatable read', readOnly: true }));

const rowsOf = (counts: Counts, table: Relation): number | null => counts.find((c) => c.schema === table.schema && c.name === table.name)?.rows ?? null;

/**
 * What the counts say against the plan. Pure.
 * @param mayLose rows that each table may lose all the same: in an undo, what the apply had added
 */
export function judge(before: Counts, after: Counts, rules: RowRules, plan: PlanFrame, mayLose: (table: Relation) => number = () => 0): readonly Finding[] {
  const ruleOf = (table: Relation): RowRules[string] | undefined =>
    Object.entries(rules).find(([written]) => display(relation(written, plan)) === display(table))?.[1];
  return before.flatMap((table): readonly Finding[] => {
    const rule = ruleOf(table);
    const now = rowsOf(after, table);
    const object = display(table);
    if (rule === 'any') return [];
    const least = rule === 'fewer' ? 0 : table.rows - mayLose(table);
    if (now === null && (table.rows > 0 ? least > 0 || rule !== undefined : rule !== undefined)) {
      const hint =
        rule === undefined
          ? 'Retire the table with retire-tables, which keeps the rows; if it was renamed or is meant to go, say `rows: { <table>: any }`.'
          : 'The plan says that the table stays; say `any` if it may go.';
      return [block('rows-lost', `${object}: ${String(table.rows)} rows before, the table is gone after`, { object, count: table.rows, hint })];
    }
    const rows = now ?? 0;
    if (rows < least) {
      return [
        block('rows-lost', `${object}: ${String(table.rows)} rows before, ${String(rows)} after, ${String(table.rows - rows)} lost`, {
          object,
          count: table.rows - rows,
          hint: 'If the plan means it, say `rows: { <table>: fewer }`.',
        }),
      ];
    }
    if (rule === 'same' && rows !== table.rows && rows > table.rows) {
      return [
        block('rows-changed', `${object}: ${String(table.rows)} rows before, ${String(rows)} after; the plan says same`, { object, count: rows - table.rows }),
      ];
    }
    return [];
  });
}

/** In an undo a table may lose what the apply had added to it, and no more: rows written since must stay. */
export const addedBy = (before: Counts | null, after: Counts | null): ((table: Relation) => number) =>
  before === null || after === null ? () => 0 : (table) => Math.max(0, (rowsOf(after, table) ?? 0) - (rowsOf(before, table) ?? 0));

/** The rules of an undo: `fewer` was said for the way forward, on the way back rows return; `same` and `any` hold both ways. */
export const wayBack = (rules: RowRules | undefined): RowRules => Object.fromEntries(Object.entries(rules ?? {}).filter(([, rule]) => rule !== 'fewer'));

/** Stops when rows are missing; inside a transaction this rolls it back. */
export function stopAtLoss(cx: ReadContext, findings: readonly Finding[], rolledBack: boolean): void {
  if (findings.length === 0) return;
  for (const finding of findings) cx.report({ type: 'found', finding: { ...finding, step: cx.stepId } });
  const listed = findings.slice(0, 20).map((f) => f.message);
  const more = findings.length > 20 ? `; and ${String(findings.length - 20)} more` : '';
  throw new UserError(`step ${cx.stepId}: the row guard found what the plan does not say: ${listed.join('; ')}${more}`, {
    hint: `${rolledBack ? 'The transaction was rolled back: nothing of it is left. ' : 'The command has ended and cannot be rolled back: the step is undone by its `undo`. '}${findings[0]?.hint ?? ''}`.trim(),
  });
}

/** The path under which the author's names are looked up, the same on a clone and on the target whatever the role's own setting is. */
export const authorPath = (cx: ReadContext): Sql => join([...new Set(['$user', ...cx.plan.schemas, 'public'])].map((schema) => ident(schema)));

export interface Guarded {
  readonly rules: RowRules;
  /** see judge(); in an apply nothing may be lost */
  readonly mayLose?: (table: Relation) => number;
  /** the author's SQL, under an ordinary search path; runs again from the start after 40001 */
  work(tx: Db): Promise<void>;
  /** our own writes of the same transaction, once the guard is content: markers */
  seal(tx: Db, before: Counts, after: Counts): Promise<void>;
}

/**
 * The author's SQL between two exact counts of one REPEATABLE READ transaction: what other sessions do meanwhile is in neither count.
 * A lock that does not come and 40001 start it again from nothing, for a minute at most. A session of its own, so that no SET of the
 * author's outlives it. Errors: UserError (rolled back) when rows are missing; the author's own error with its place in the file.
 */
export async function guarded(cx: StepContext, guard: Guarded): Promise<{ readonly before: Counts; readonly after: Counts }> {
  let locked: readonly Relation[] = [];
  let began = 0;
  const counts = await cx.db.session('command', (db) =>
    db.transaction(
      async (tx) => {
        const before = await countRows(cx, tx, cx.plan);
        const { id } = await tx.one<{ id: string }>('row-guard/transaction');
        await tx.change('row-guard/author-path', { parts: { path: authorPath(cx) } });
        began = Date.now();
        await guard.work(tx);
        await tx.change('row-guard/pin');
        if ((await tx.one<{ id: string }>('row-guard/transaction')).id !== id) throw new Bug('the transaction of the row guard was ended by the SQL inside it');
        const heavy = await tx.rows<Relation>('row-guard/heavy-locks', { values: [guardedSchemas(cx.plan)] });
        locked = heavy.filter((relation) => rowsOf(before, relation) !== null);
        const after = await countRows(cx, tx, cx.plan);
        stopAtLoss(cx, judge(before, after, guard.rules, cx.plan, guard.mayLose), true);
        await guard.seal(tx, before, after);
        return { before, after };
      },
      { isolation: 'repeatable read' },
    ),
  );
  // An upper bound: from the author's first statement, whichever took the lock, to the commit, with the second count in it.
  if (locked.length > 0) cx.report({ type: 'lock-held', step: cx.stepId, object: locked.map(display).join(', '), ms: Date.now() - began });
  return counts;
}

/** Tables that `rows` names and that do not exist: a misspelt name would guard nothing. */
export async function unknownTables(cx: ReadContext, rules: RowRules): Promise<readonly Finding[]> {
  if (Object.keys(rules).length === 0) return [];
  const known = (await cx.db.rows<Relation>('row-guard/tables', { values: [guardedSchemas(cx.plan)] })).map(display);
  return Object.keys(rules)
    .map((written) => display(relation(written, cx.plan)))
    .filter((table) => !known.includes(table))
    .map((table) =>
      block('table-not-found', `rows names ${table}, which is not a table of schemas ${cx.plan.schemas.join(', ')}`, {
        object: table,
        hint: 'Names are literal and case-sensitive; a table that the step creates needs no line.',
      }),
    );
}

/** The report's lines: every table whose rows changed and every one that the plan names. */
export function accounts(stepId: string, before: Counts, after: Counts, rules: RowRules, plan: PlanFrame): readonly TableAccount[] {
  const ruled = Object.keys(rules).map((written) => display(relation(written, plan)));
  const tables = [...before, ...after.filter((a) => rowsOf(before, a) === null)];
  return tables
    .map((t) => ({
      step: stepId,
      table: display(t),
      before: rowsOf(before, t),
      after: rowsOf(after, t),
      quarantined: 0,
      checksum: null,
      proof: 'count' as const,
    }))
    .filter((a) => a.before !== a.after || ruled.includes(a.table));
}
