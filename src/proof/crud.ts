import { randomUUID } from 'node:crypto';
import { QueryFailed } from '../errors.js';
import { display, type Relation } from '../names.js';
import type { Db } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, type Sql } from '../pg/render.js';
import type { Check } from '../report/event.js';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly base: string;
  readonly category: string;
  readonly length: number | null;
  readonly required: boolean;
  readonly defaulted: boolean;
  readonly computed: boolean;
  readonly default_expression: string | null;
  readonly label: string | null;
  readonly parent: { readonly schema: string; readonly name: string; readonly column: string } | null;
  readonly referencing: boolean;
}

/** Carries a result out of the transaction that must not commit. */
class RolledBack extends Error {
  constructor(readonly check: Check) {
    super('rolled back');
  }
}

/**
 * Inserts one row (a copy of an existing one with fresh unique values, or an invented one where the table is empty), reads it, updates it and
 * deletes it, and rolls everything back; sequences advance. ROW EXCLUSIVE on the table for some milliseconds; the table's own triggers fire.
 * A refusal of the invented values by the table's own rules is no fault of the table: the verdict is then `not-measured`, with the reason.
 */
export async function probeRow(db: Db, relation: Relation): Promise<Check> {
  const what = { name: `insert, read, update and delete one row of ${display(relation)}`, criterion: 'application', expected: 'all four work' } as const;
  const unmeasured = (why: string): Check => ({ ...what, actual: `not measured: ${why}`, verdict: 'not-measured' });
  const row = await invent(db, relation);
  if (typeof row === 'string') return unmeasured(row);
  let doing = 'insert';
  try {
    return await db.transaction(async (tx): Promise<Check> => {
      doing = 'insert';
      const fill = row.columns.length === 0 ? null : { columns: join(row.columns.map((c) => ident(c))), values: join(row.values), source: row.source };
      const [inserted] =
        fill === null
          ? await tx.rows<{ ctid: string }>('proof/probe-default-insert', { names: { table: relation } })
          : await tx.rows<{ ctid: string }>('proof/probe-insert', { names: { table: relation }, parts: fill });
      if (inserted === undefined) throw new RolledBack(unmeasured('the table took no row (a trigger of its own or a rule swallowed it)'));
      await tx.change('proof/probe-constraints');
      doing = 'read';
      const read = await tx.one<{ rows: number }>('proof/probe-read', { names: { table: relation }, values: [inserted.ctid] });
      if (read.rows !== 1) throw new RolledBack({ ...what, actual: 'the inserted row could not be read back', verdict: 'fail' });
      doing = 'update';
      const updated =
        row.updatable === null
          ? [inserted]
          : await tx.rows<{ ctid: string }>('proof/probe-update', { names: { table: relation, column: row.updatable }, values: [inserted.ctid] });
      if (updated[0] === undefined) throw new RolledBack({ ...what, actual: 'the inserted row could not be updated', verdict: 'fail' });
      doing = 'delete';
      const gone = await tx.rows('proof/probe-delete', { names: { table: relation }, values: [updated[0].ctid] });
      await tx.change('proof/probe-constraints');
      throw new RolledBack(
        gone.length === 1
          ? { ...what, actual: 'all four work', verdict: 'pass' }
          : { ...what, actual: 'the inserted row could not be deleted', verdict: 'fail' },
      );
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.check;
    // class 23 and 22: the table's rules judged values that were ours; P0001: a trigger of the user's did
    if (error instanceof QueryFailed && doing === 'insert' && /^(22|23|P0001)/.test(error.sqlstate))
      return unmeasured(`the table's own rules refused the invented row (${error.sqlstate})`);
    if (error instanceof QueryFailed && !/^(08|57P|40)/.test(error.sqlstate))
      return { ...what, actual: `${doing} fails with SQLSTATE ${error.sqlstate}`, verdict: 'fail' };
    throw error;
  }
}

interface Probe {
  readonly columns: readonly string[];
  readonly values: readonly Sql[];
  readonly source: Sql;
  /** a column that an UPDATE may set; null where every column is computed */
  readonly updatable: string | null;
}

/** The row to insert, or why there can be none. */
async function invent(db: Db, relation: Relation): Promise<Probe | string> {
  const columns = await db.rows<Column>('proof/probe-columns', { values: [relation.schema, relation.name] });
  const uniques = await db.rows<{ index: string; columns: string[] }>('proof/probe-uniques', { values: [relation.schema, relation.name] });
  const { yes: copying } = await db.one<{ yes: boolean }>('proof/has-rows', { names: { table: relation } });
  const computed = new Set(columns.filter((c) => c.computed).map((c) => c.name));
  const chosen = new Map<string, Sql>();
  for (const unique of uniques) {
    if (unique.columns.some((c) => chosen.has(c) || computed.has(c))) continue;
    const candidates = columns.filter((c) => unique.columns.includes(c.name)).sort((a, b) => Number(a.referencing) - Number(b.referencing));
    const fresh = candidates.map((c) => [c.name, freshFor(c, relation)] as const).find(([, value]) => value !== null);
    if (fresh?.[1] == null) return `no fresh value can be invented for the unique index ${unique.index}`;
    chosen.set(fresh[0], fresh[1]);
  }
  const writable = columns.filter((c) => !c.computed);
  const updatable = writable.find((c) => !chosen.has(c.name))?.name ?? writable[0]?.name ?? null;
  if (copying) {
    return {
      columns: writable.map((c) => c.name),
      values: writable.map((c) => chosen.get(c.name) ?? glue`t.${ident(c.name)}`),
      source: glue`ONLY ${ident(relation)} AS t`,
      updatable,
    };
  }
  const filled: [string, Sql][] = [];
  for (const column of writable) {
    const unique = chosen.get(column.name);
    if (unique !== undefined) filled.push([column.name, unique]);
    else if (column.defaulted || !column.required) continue;
    else if (column.parent !== null) filled.push([column.name, anyParent(column.parent)]);
    else if (column.referencing) return `the table is empty and column ${column.name} is part of a foreign key of several columns`;
    else {
      const value = plain(column);
      if (value === null) return `the table is empty and no value of type ${column.type} can be invented for column ${column.name}`;
      filled.push([column.name, value]);
    }
  }
  return { columns: filled.map(([name]) => name), values: filled.map(([, value]) => value), source: glue`(SELECT) AS t`, updatable };
}

/** A value that no row of the table has, or null. */
function freshFor(column: Column, relation: Relation): Sql | null {
  const id = ident(column.name);
  if (column.parent !== null) {
    const parent = { schema: column.parent.schema, name: column.parent.name };
    return glue`(SELECT p.${ident(column.parent.column)} FROM ${ident(parent)} AS p WHERE NOT EXISTS (SELECT FROM ${ident(relation)} AS x WHERE x.${id} = p.${ident(column.parent.column)}) LIMIT 1)`;
  }
  if (column.referencing) return null;
  if (/^(nextval|gen_random_uuid|pg_catalog\.gen_random_uuid)\(/.test(column.default_expression ?? '')) return fromCatalog(column.default_expression ?? '');
  if (column.base === 'uuid') return glue`pg_catalog.gen_random_uuid()`;
  if (column.category === 'S')
    return column.length !== null && column.length < 8
      ? null
      : glue`${literal(`probe-${randomUUID()}`.slice(column.length !== null && column.length < 42 ? -column.length : 0))}::${fromCatalog(column.type)}`;
  if (['int2', 'int4', 'int8', 'numeric'].includes(column.base))
    return glue`(SELECT coalesce(pg_catalog.max(x.${id}), 0) + 1 FROM ${ident(relation)} AS x)::${fromCatalog(column.type)}`;
  if (['timestamp', 'timestamptz'].includes(column.base))
    return glue`(pg_catalog.clock_timestamp() + pg_catalog.random() * '1 second'::interval)::${fromCatalog(column.type)}`;
  return null;
}

/** Some value of the type for a column that needs one, or null. */
function plain(column: Column): Sql | null {
  const as = (text: string): Sql => glue`${literal(text)}::${fromCatalog(column.type)}`;
  if (column.label !== null) return glue`${fromCatalog(column.label)}::${fromCatalog(column.type)}`;
  if (column.base === 'uuid') return glue`pg_catalog.gen_random_uuid()`;
  if (column.base === 'json' || column.base === 'jsonb') return as('{}');
  if (column.base === 'bytea') return as('');
  switch (column.category) {
    case 'A':
      return as('{}');
    case 'B':
      return as('false');
    case 'D':
      return glue`pg_catalog.now()::${fromCatalog(column.type)}`;
    case 'N':
      return as('1');
    case 'S':
      return as('p');
    case 'T':
      return as('1 second');
    default:
      return null;
  }
}

const anyParent = (parent: { readonly schema: string; readonly name: string; readonly column: string }): Sql =>
  glue`(SELECT p.${ident(parent.column)} FROM ${ident({ schema: parent.schema, name: parent.name })} AS p LIMIT 1)`;
