import type { Finding } from '../finding.js';
import { isOurs, type Relation } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, render, type Sql } from '../pg/render.js';
import { unreadable } from '../proof/contents.js';
import { foreignKeys, orphans, type ForeignKey } from '../proof/references.js';
import type { TypeChange } from './compare.js';
import { isSame, type Duplicate } from './duplicates.js';
import type { Reference } from './references.js';
import { columnOf, familyOf, type Shape } from './shape.js';

/** Facts about data. All run in the caller's transaction, so that everything said about one database is of one snapshot. Counts and keys only. */

export interface TableFacts {
  readonly table: Relation;
  /** exact, or the statistics' estimate for a big table */
  readonly rows: number;
  readonly exact: boolean;
  /** proved by looking, whatever the size */
  readonly empty: boolean;
  /** heap, indexes and TOAST */
  readonly bytes: number;
  readonly use: Use;
}

/** Since the statistics were last reset. */
export interface Use {
  readonly seqScans: number;
  readonly indexScans: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface DatabaseFacts {
  readonly database: string;
  readonly role: string;
  readonly version: string;
  /** age of the statistics in seconds, or null when they were never reset */
  readonly statisticsSeconds: number | null;
  /** schemas of the database, ours left out */
  readonly schemas: readonly SchemaFacts[];
}

export interface SchemaFacts {
  readonly name: string;
  readonly tables: number;
  readonly views: number;
  readonly functions: number;
}

interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly heap_bytes: number;
  readonly total_bytes: number;
  readonly estimate: number;
  readonly seq_scans: number;
  readonly index_scans: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/** Tables up to this size are counted exactly (about a tenth of a second each); of bigger ones the estimate is given and said to be one. */
const countBytes = 128 * 1024 * 1024;
/** Statements joined into one round trip. */
const batch = 50;

/** Joins small questions into few statements: one round trip per fifty. */
async function ask<Row>(db: ReadDb, questions: readonly Sql[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (let i = 0; i < questions.length; i += batch) rows.push(...(await db.select<Row>(join(questions.slice(i, i + batch), '\nUNION ALL\n'))));
  return rows;
}

/** Database, schemas, statistics' age. Locks nothing. */
export async function databaseFacts(db: ReadDb): Promise<DatabaseFacts> {
  const here = await db.one<{ database: string; role: string; version: string; statistics_seconds: number | null }>('drift/database');
  const schemas = await db.rows<SchemaFacts>('drift/schemas');
  return {
    database: here.database,
    role: here.role,
    version: here.version,
    statisticsSeconds: here.statistics_seconds,
    schemas: schemas.filter((s) => !isOurs(s.name)),
  };
}

/** Rows, size and use of every table; or the block findings that say which tables the role may not read in full, and then nothing is counted. Locks ACCESS SHARE. */
export async function tableFacts(
  db: ReadDb,
  schemas: readonly string[],
): Promise<{ readonly tables: readonly TableFacts[]; readonly refused: readonly Finding[] }> {
  const rows = await db.rows<TableRow>('drift/tables', { values: [schemas] });
  const refused = await unreadable(db, rows);
  if (refused.length > 0) return { tables: [], refused };
  const exactly = (r: TableRow): boolean => r.estimate < 0 || r.heap_bytes <= countBytes;
  const counts = await ask<{ key: string; n: number }>(
    db,
    rows.map((r, i) =>
      render(exactly(r) ? 'drift/count' : 'drift/some', { names: { table: { schema: r.schema, name: r.name } }, literals: { key: String(i) } }),
    ),
  );
  const counted = new Map(counts.map(({ key, n }) => [Number(key), n]));
  const tables = rows.map((r, i): TableFacts => {
    const n = counted.get(i) ?? 0;
    return {
      table: { schema: r.schema, name: r.name },
      rows: exactly(r) ? n : Math.max(Math.round(r.estimate), n),
      exact: exactly(r),
      empty: n === 0,
      bytes: r.total_bytes,
      use: { seqScans: r.seq_scans, indexScans: r.index_scans, inserted: r.inserted, updated: r.updated, deleted: r.deleted },
    };
  });
  return { tables, refused };
}

export interface ReferenceFacts {
  readonly reference: Reference;
  /** rows whose reference names no row, exact */
  readonly orphans: number;
  /** primary keys of the first hundred of them, as text */
  readonly keys: readonly string[];
}

/** Orphans of every reference. Declared keys are compared as they compare themselves, the others by value, or as text where the types differ. Locks ACCESS SHARE. */
export async function referenceFacts(
  db: ReadDb,
  found: readonly Reference[],
  shapes: readonly Shape[],
  schemas: readonly string[],
): Promise<readonly ReferenceFacts[]> {
  await db.rows('drift/settings');
  const declared = await foreignKeys(db, schemas);
  const shapeOf = (table: Relation): Shape | undefined => shapes.find((s) => isSame(s.table, table));
  const asKey = (r: Reference): ForeignKey => {
    const own = declared.find((fk) => r.by === 'declared' && fk.name === r.name && isSame(fk.child, r.table));
    return (
      own ?? {
        name: r.name,
        child: r.table,
        columns: r.columns,
        parent: r.parent,
        parentColumns: r.parentColumns,
        key: shapeOf(r.table)?.primaryKey ?? [],
        declared: false,
        validated: false,
        operators: r.asText ? null : r.columns.map(() => 'OPERATOR(pg_catalog.=)'),
        matchFull: false,
        childPartitioned: shapeOf(r.table)?.partitioned ?? false,
        parentPartitioned: shapeOf(r.parent)?.partitioned ?? false,
      }
    );
  };
  const counted = await orphans(db, found.map(asKey));
  return found.map((reference, i) => ({ reference, orphans: counted[i]?.count ?? 0, keys: counted[i]?.keys ?? [] }));
}

/** `p.parent = c.child`, as text where the types differ; uuids have one spelling only after lower(), and citext compares without case. */
function equal(child: Sql, childType: string, parent: Sql, parentType: string): Sql {
  const plain = familyOf(childType);
  const foldCase = /^(\S+\.)?citext$/.test(childType) || /^(\S+\.)?citext$/.test(parentType);
  if (childType === parentType && !foldCase && plain !== 'other') return glue`p.${parent} = c.${child}`;
  const fold = foldCase || plain === 'uuid' || familyOf(parentType) === 'uuid';
  return fold ? glue`pg_catalog.lower(p.${parent}::text) = pg_catalog.lower(c.${child}::text)` : glue`p.${parent}::text = c.${child}::text`;
}

/** Keys that both tables of a pair have; null where the keys cannot be compared. Locks ACCESS SHARE. */
export async function overlapFacts(db: ReadDb, pairs: readonly Duplicate[]): Promise<readonly (number | null)[]> {
  const counts = await ask<{ key: string; n: number }>(
    db,
    pairs.flatMap((pair, i) => {
      const key = pair.key;
      if (key === null) return [];
      const same = join(
        pair.from.primaryKey.map((name, k) => {
          const into = key[k] ?? '';
          return equal(ident(name), columnOf(pair.from, name)?.type ?? '', ident(into), columnOf(pair.into, into)?.type ?? '');
        }),
        ' AND ',
      );
      return [render('drift/overlap', { names: { from: pair.from.table, into: pair.into.table }, literals: { key: String(i) }, parts: { same } })];
    }),
  );
  const counted = new Map(counts.map(({ key, n }) => [Number(key), n]));
  return pairs.map((_pair, i) => counted.get(i) ?? null);
}

/** Values that do not fit the new type, per change; null where this cannot be told without trying. Locks ACCESS SHARE. */
export async function unfitFacts(db: ReadDb, changes: readonly TypeChange[]): Promise<readonly (number | null)[]> {
  const counts = await ask<{ key: string; n: number }>(
    db,
    changes.flatMap((change, i) => {
      const value = glue`c.${ident(change.column)}`;
      const fits = fitness(value, change, db.version);
      return fits === null ? [] : [render('drift/unfit', { names: { table: change.table }, literals: { key: String(i) }, parts: { value, fits } })];
    }),
  );
  const counted = new Map(counts.map(({ key, n }) => [Number(key), n]));
  return changes.map((_change, i) => counted.get(i) ?? null);
}

/** A condition that is true for values which the new type takes. pg_input_is_valid exists since 16; before that the usual targets by pattern. */
function fitness(value: Sql, change: TypeChange, version: number): Sql | null {
  const from = familyOf(change.from);
  const to = familyOf(change.to);
  const length = /^(?:character varying|character)\((\d+)\)$/.exec(change.to)?.[1];
  if (to === 'text') return length === undefined ? glue`true` : glue`(pg_catalog.length(${value}::text) <= ${fromCatalog(length)})`;
  if (from !== 'text') return null;
  if (version >= 160000) return glue`pg_catalog.pg_input_is_valid(${value}::text, ${literal(change.to)})`;
  if (to === 'uuid') return glue`(${value}::text ~* '^[{]?[0-9a-f]{4}(-?[0-9a-f]{4}){7}[}]?$')`;
  if (to === 'integer') return glue`(${value}::text ~ '^[[:space:]]*[-+]?[0-9]+[[:space:]]*$')`;
  return null;
}

/**
 * Nothing but its loading has happened to it since the statistics were reset: no index scan, update or delete. Sequential scans do not
 * count, because dumps and this phase make them.
 */
export const untouched = (t: TableFacts): boolean => t.use.indexScans === 0 && t.use.updated === 0 && t.use.deleted === 0;

/** When most tables look untouched the statistics are young, not the tables old. */
export const statisticsAreTelling = (tables: readonly TableFacts[]): boolean => tables.filter(untouched).length * 2 <= tables.length;
