import { UserError } from '../errors.js';
import { block, type Finding } from '../finding.js';
import { display, isOurs, type Relation } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog } from '../pg/render.js';

/** What a table holds, at one snapshot. */
export interface Contents {
  readonly relation: Relation;
  /** exact */
  readonly rows: number;
  /** decimal text: the sum of the rows' 64-bit hashes, the same whatever the order of rows or columns; equal only for rows that the server would print alike */
  readonly checksum: string;
  /** heap and TOAST on disk, without indexes; says how big, proves nothing */
  readonly bytes: number;
}

interface RowExpressions {
  readonly schema: string;
  readonly name: string;
  readonly found: boolean;
  readonly bytes: number;
  readonly expressions: string | null;
}

/**
 * Ordinary tables and leaf partitions in these schemas (null: in every schema of the user's), in name order, without our
 * own and without members of extensions. Partitioned parents hold no rows; foreign tables and materialized views hold rows of others.
 */
export async function tablesIn(db: ReadDb, schemas: readonly string[] | null): Promise<readonly Relation[]> {
  const found = await db.rows<Relation>('proof/tables-in', { values: [schemas] });
  return found.filter((r) => !isOurs(r.schema));
}

/**
 * Counts and checksums the tables one after another in the caller's transaction: whoever compares gives a REPEATABLE READ
 * transaction or an imported snapshot. ACCESS SHARE on each table until that transaction ends.
 * Cost: about 0.25-0.5 of hashing the rows' text (PERF "Proof"). `onTable` is called after each table.
 * Errors: UserError when a table is missing; QueryFailed 42501 when row level security would hide rows (sessions have row_security off,
 * so the server refuses instead of lying): ask `unreadable` first.
 */
export async function contents(db: ReadDb, relations: readonly Relation[], onTable?: (of: Contents) => void): Promise<readonly Contents[]> {
  if (relations.length === 0) return [];
  const rows = await db.rows<RowExpressions>('proof/row-expressions', { values: arrays(relations) });
  const result: Contents[] = [];
  for (const { schema, name, found, bytes, expressions } of rows) {
    const relation = { schema, name };
    if (!found)
      throw new UserError(`table ${display(relation)} does not exist, so its rows cannot be counted`, {
        hint: 'Check the name in the plan; names are literal and case matters.',
      });
    const counted = await db.one<{ rows: number; checksum: string }>('proof/contents', {
      names: { table: relation },
      parts: { expressions: fromCatalog(expressions ?? '') },
    });
    const of = { relation, rows: counted.rows, checksum: counted.checksum, bytes };
    result.push(of);
    onTable?.(of);
  }
  return result;
}

/** Findings for the tables whose rows this session may not or may not fully see: counting or dumping them would fail. Locks nothing. */
export async function unreadable(db: ReadDb, relations: readonly Relation[]): Promise<readonly Finding[]> {
  const rows = await db.rows<{ schema: string; name: string; granted: boolean; filtered: boolean; forced: boolean }>('proof/unreadable', {
    values: arrays(relations),
  });
  return rows.map((r) => {
    const object = display(r);
    if (!r.granted) {
      return block('table-not-readable', `the role ${db.target.user} may not read ${object}`, {
        object,
        hint: `GRANT USAGE ON SCHEMA and SELECT ON ${object} to it, or connect as the owner.`,
      });
    }
    const hint = r.forced
      ? 'The table has FORCE ROW LEVEL SECURITY: use a role with BYPASSRLS. Rows would silently be missing otherwise.'
      : 'Connect as the owner of the table or with a role that has BYPASSRLS. Rows would silently be missing otherwise.';
    return block('row-security-hides-rows', `row level security hides rows of ${object} from the role ${db.target.user}`, { object, hint });
  });
}

/** One sentence per table that differs; [] when both are the same tables with the same rows. */
export function contentsDiffer(expected: readonly Contents[], actual: readonly Contents[]): readonly { readonly relation: Relation; readonly what: string }[] {
  const others = new Map(actual.map((c) => [display(c.relation), c]));
  const differing = expected.flatMap((e) => {
    const a = others.get(display(e.relation));
    others.delete(display(e.relation));
    if (a === undefined) return [{ relation: e.relation, what: 'is missing' }];
    if (a.rows !== e.rows) return [{ relation: e.relation, what: `has ${String(a.rows)} rows, expected ${String(e.rows)}` }];
    if (a.checksum !== e.checksum) return [{ relation: e.relation, what: `has the expected ${String(e.rows)} rows, but their contents differ` }];
    return [];
  });
  return [...differing, ...[...others.values()].map((a) => ({ relation: a.relation, what: 'was not expected' }))];
}

const arrays = (relations: readonly Relation[]): readonly unknown[] => [relations.map((r) => r.schema), relations.map((r) => r.name)];
