import type { Relation } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { fromPlan, glue, type Sql } from '../../pg/render.js';

/** What sql/rebuild-tables/table.sql says about one table. Definitions are deparsed by the server with search_path pg_catalog, so every other name in them is qualified. */
export interface Shape {
  readonly oid: number;
  readonly kind: string;
  readonly persistence: string;
  readonly typed: boolean;
  readonly owner: string;
  readonly owned: boolean;
  readonly mine: boolean;
  readonly family: boolean;
  readonly extension: string | null;
  readonly rowSecurity: boolean;
  readonly forcedRowSecurity: boolean;
  readonly replicaIdentity: string;
  readonly options: readonly string[] | null;
  readonly toastOptions: readonly string[] | null;
  readonly accessMethod: string | null;
  readonly tablespace: boolean;
  readonly bytes: number;
  readonly comment: string | null;
  readonly acl: string | null;
  readonly subscribed: boolean;
  readonly labelled: boolean;
  readonly publications: readonly string[];
  readonly grants: readonly Grant[];
  readonly columns: readonly ShapeColumn[];
  readonly constraints: readonly ShapeConstraint[];
  readonly notNulls: readonly {
    readonly name: string;
    readonly definition: string;
    readonly validated: boolean;
    readonly comment: string | null;
    readonly columns: readonly string[];
  }[];
  readonly foreignKeys: readonly ShapeForeignKey[];
  readonly indexes: readonly ShapeIndex[];
  readonly sequences: readonly ShapeSequence[];
  readonly dependents: readonly string[];
  readonly mentionedBy: readonly string[];
}

export interface Grant {
  /** null: PUBLIC */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
  readonly column: string | null;
}

export interface ShapeColumn {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  /** the type without its modifier */
  readonly bare: string;
  readonly builtin: boolean;
  /** pg_type.typtype */
  readonly typeKind: string;
  readonly collation: string | null;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly generated: string | null;
  /** '', s (stored) or v (virtual) */
  readonly generatedKind: string;
  /** '', a (always) or d (by default) */
  readonly identity: string;
  readonly storage: string | null;
  readonly compression: string;
  readonly statistics: number | null;
  readonly options: readonly string[] | null;
  readonly acl: string | null;
  readonly comment: string | null;
}

export interface ShapeConstraint {
  readonly name: string;
  /** c check, p primary key, u unique, x exclusion */
  readonly type: string;
  readonly definition: string;
  readonly columns: readonly string[];
  readonly validated: boolean;
  readonly deferrable: boolean;
  readonly deferred: boolean;
  readonly local: boolean;
  readonly comment: string | null;
}

export interface ShapeForeignKey {
  readonly name: string;
  /** without NOT VALID */
  readonly definition: string;
  readonly validated: boolean;
  readonly comment: string | null;
  readonly child: Relation;
  readonly parent: Relation;
  readonly childOid: number;
  readonly parentOid: number;
  readonly childKind: string;
  readonly parentKind: string;
  readonly childOwned: boolean;
  readonly parentOwned: boolean;
  readonly childColumns: readonly string[];
  readonly parentColumns: readonly string[];
}

export interface ShapeIndex {
  readonly name: string;
  readonly definition: string;
  /** the definition from USING on; null when the server wrote it in a way we do not know */
  readonly rest: string | null;
  readonly unique: boolean;
  readonly valid: boolean;
  /** the constraint that owns it */
  readonly constraint: string | null;
  readonly columns: readonly string[];
  readonly expression: string | null;
  readonly predicate: string | null;
  /** every column it depends on */
  readonly mentions: readonly string[];
  /** key columns with an operator class or collation that is not the default */
  readonly special: readonly string[];
  readonly clustered: boolean;
  readonly replicaIdentity: boolean;
  readonly tablespace: boolean;
  readonly bytes: number;
  readonly comment: string | null;
  readonly tuned: boolean;
}

export interface ShapeSequence {
  readonly schema: string;
  readonly name: string;
  readonly column: string;
  readonly kind: 'serial' | 'identity';
  readonly type: string;
  readonly start: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
  readonly cache: string;
  readonly cycle: boolean;
  readonly comment: string | null;
  readonly acl: string | null;
  readonly owned: boolean;
  readonly grants: readonly Grant[];
  readonly usedElsewhere: boolean;
}

/** null: there is no such relation. */
export async function readShape(db: ReadDb, table: Relation): Promise<Shape | null> {
  return (await db.rows<{ shape: Shape }>('rebuild-tables/table', { values: [table.schema, table.name] }))[0]?.shape ?? null;
}

/** Whether two readings of a table differ in anything that a rebuild carries over; sizes, functions that merely mention it and who uses its sequences (the shadow does) do not count. */
export const differs = (before: Shape, now: Shape | null): boolean => {
  const text = (shape: Shape | null): string =>
    JSON.stringify(shape, (key, value: unknown) => (['bytes', 'mentionedBy', 'usedElsewhere'].includes(key) ? undefined : value));
  return text(before) !== text(now);
};

/** The name that format_type gives to a type as somebody wrote it, or null when the server does not know it. Uses EXPLAIN, the only read-only way on every version that keeps the modifier. */
export async function canonicalType(db: ReadDb, written: string): Promise<string | null> {
  return (await explained(db, glue`SELECT NULL::${fromPlan(written)}`))?.replace(/^NULL::/, '') ?? null;
}

/** The first output expression of a SELECT as the planner would print it; null when it cannot be planned. Runs nothing. */
export async function explained(db: ReadDb, select: Sql): Promise<string | null> {
  try {
    const rows = await db.select<{ 'QUERY PLAN': readonly { Plan: { Output?: readonly string[] } }[] }>(glue`EXPLAIN (VERBOSE, FORMAT JSON) ${select}`);
    return rows[0]?.['QUERY PLAN'][0]?.Plan.Output?.[0] ?? '';
  } catch (error) {
    if (error instanceof Error && 'sqlstate' in error && /^(42|22|0A)/.test(String(error.sqlstate))) return null;
    throw error;
  }
}
