import type { Relation } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../pg/render.js';

/** A reference from child rows to parent rows: declared in the catalogs, or implied by names and types. */
export interface ForeignKey {
  /** of the constraint; for an implied one, what to call it */
  readonly name: string;
  readonly child: Relation;
  readonly columns: readonly string[];
  readonly parent: Relation;
  readonly parentColumns: readonly string[];
  /** columns that name a child row: its primary key; [] where it has none, then the reference itself names it */
  readonly key: readonly string[];
  readonly declared: boolean;
  /** false: NOT VALID, so orphans may exist; an implied one is never validated */
  readonly validated: boolean;
  /** one per column: how the constraint compares (`OPERATOR(schema.=)`); null: both sides as text, for implied references between differing types */
  readonly operators: readonly string[] | null;
  readonly matchFull: boolean;
  readonly childPartitioned: boolean;
  readonly parentPartitioned: boolean;
}

export interface Orphans {
  readonly fk: ForeignKey;
  /** exact, at the caller's snapshot */
  readonly count: number;
  /** at most 100, as text; composite keys as (a,b) */
  readonly keys: readonly string[];
}

export interface Unvalidated {
  readonly relation: Relation;
  readonly kind: 'foreign key' | 'check' | 'constraint' | 'index';
  readonly name: string;
  readonly definition: string;
}

interface DeclaredRow {
  readonly name: string;
  readonly child_schema: string;
  readonly child_name: string;
  readonly child_partitioned: boolean;
  readonly parent_schema: string;
  readonly parent_name: string;
  readonly parent_partitioned: boolean;
  readonly columns: string[];
  readonly parent_columns: string[];
  readonly operators: string[];
  readonly key: string[];
  readonly match_full: boolean;
  readonly validated: boolean;
}

/** Declared foreign keys of tables in these schemas, also NOT VALID ones; those of partitions are their parent's. Locks nothing. */
export async function foreignKeys(db: ReadDb, schemas: readonly string[]): Promise<readonly ForeignKey[]> {
  const rows = await db.rows<DeclaredRow>('proof/foreign-keys', { values: [schemas] });
  return rows.map((r) => ({
    name: r.name,
    child: { schema: r.child_schema, name: r.child_name },
    columns: r.columns,
    parent: { schema: r.parent_schema, name: r.parent_name },
    parentColumns: r.parent_columns,
    key: r.key,
    declared: true,
    validated: r.validated,
    operators: r.operators,
    matchFull: r.match_full,
    childPartitioned: r.child_partitioned,
    parentPartitioned: r.parent_partitioned,
  }));
}

/**
 * Counts, for each reference, the child rows whose parent does not exist, and lists up to 100 of their keys. A row with a NULL in the
 * reference has none (MATCH SIMPLE); under MATCH FULL only a row that is NULL throughout. One anti-join per reference, one after
 * another, in the caller's transaction; ACCESS SHARE on child and parent.
 */
export async function orphans(db: ReadDb, fks: readonly ForeignKey[]): Promise<readonly Orphans[]> {
  const result: Orphans[] = [];
  for (const fk of fks) {
    const own = fk.columns.map((c) => glue`c.${ident(c)}`);
    const parts = {
      child: source(fk.child, fk.childPartitioned),
      parent: source(fk.parent, fk.parentPartitioned),
      present: fk.matchFull ? glue`pg_catalog.num_nonnulls(${join(own)}) > 0` : glue`pg_catalog.num_nulls(${join(own)}) = 0`,
      same: join(
        own.map((column, i) => {
          const parent = glue`p.${ident(fk.parentColumns[i] ?? '')}`;
          const operator = fk.operators?.[i];
          return operator === undefined
            ? glue`${parent}::pg_catalog.text COLLATE pg_catalog."C" = ${column}::pg_catalog.text COLLATE pg_catalog."C"`
            : glue`${parent} ${fromCatalog(operator)} ${column}`;
        }),
        ' AND ',
      ),
    };
    const { count } = await db.one<{ count: number }>('proof/orphans-count', { parts });
    const named = fk.key.length > 0 ? fk.key.map((c) => glue`c.${ident(c)}`) : own;
    const [first] = named;
    const key = named.length === 1 && first !== undefined ? glue`${first}::pg_catalog.text` : glue`ROW(${join(named)})::pg_catalog.text`;
    const keys = count === 0 ? [] : await db.rows<{ key: string }>('proof/orphans-keys', { parts: { ...parts, key } });
    result.push({ fk, count, keys: keys.map((k) => k.key) });
  }
  return result;
}

/** NOT VALID constraints and invalid indexes of tables in these schemas. Locks nothing. */
export async function unvalidated(db: ReadDb, schemas: readonly string[]): Promise<readonly Unvalidated[]> {
  const rows = await db.rows<{ schema: string; name: string; object: string; definition: string; kind: Unvalidated['kind'] }>('proof/unvalidated', {
    values: [schemas],
  });
  return rows.map((r) => ({ relation: { schema: r.schema, name: r.name }, kind: r.kind, name: r.object, definition: r.definition }));
}

/** The server's own check looks at exactly one table, so inheritance children are left out; a partitioned table is all its partitions. */
const source = (relation: Relation, partitioned: boolean): Sql => (partitioned ? ident(relation) : glue`ONLY ${ident(relation)}`);
