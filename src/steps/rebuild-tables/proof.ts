import { QueryFailed } from '../../errors.js';
import { display, type Relation, type RunId } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../../pg/render.js';
import { contentOf, insertable, keyColumns, quarantineOf, type Rebuilt } from './design.js';
import { inControl } from '../../names.js';

/**
 * The proof: per key, at one snapshot, `converted old = new`, keys that wait in the log left out and counted by nobody.
 * Sums of row hashes first; the rows themselves only where they differ (PERF: 0.4 against 0.9-1.7).
 * forward: old table against shadow, before the swap. reverse: retired against new table, after it.
 */
export interface Compared {
  readonly table: Rebuilt;
  /** rows compared on either side */
  readonly rows: number;
  readonly checksum: string;
  readonly quarantined: number;
  /** keys that have a set-aside row and are used again */
  readonly conflicts: number;
  /** set-aside rows that the retired table does not hold as they are */
  readonly quarantineWrong: number;
  /** keys that do not come back as they were */
  readonly moved: number;
  readonly differences: readonly { readonly key: string; readonly what: 'missing' | 'extra' | 'different' }[];
  /** a TRUNCATE waits in the log, so nothing could be compared */
  readonly nothing: boolean;
}

const sql = fromCatalog;
const nth = (i: number): Sql => sql(`k${String(i + 1)}`);

export async function compare(db: ReadDb, run: RunId, t: Rebuilt, direction: 'forward' | 'reverse'): Promise<Compared> {
  const key = keyColumns(t);
  const forward = direction === 'forward';
  const and = (parts: readonly Sql[]): Sql => join(parts, ' AND ');
  const names = {
    log: inControl(forward ? 'log' : 'rlog', run, t.oid),
    quarantine: quarantineOf(run, t),
    old: forward ? t.table : t.old,
    new: forward ? t.shadow : t.table,
  };
  const newQuarantined = and(key.map((c) => glue`q.${ident(c.name)} = ${c.back}`));
  const sameKeys = and(key.map((c) => glue`o.${ident(c.name)} = q.${ident(c.name)}`));
  const sameRow = glue`ROW(${join(insertable(t).map((c) => glue`o.${ident(c.name)}`))})::text = ROW(${join(insertable(t).map((c) => glue`q.${ident(c.name)}`))})::text`;
  const pending = forward
    ? glue`EXISTS (SELECT FROM log l WHERE ${and(key.map((c, i) => glue`l.${nth(i)} = q.${ident(c.name)}`))})`
    : glue`EXISTS (SELECT FROM log l, LATERAL (SELECT ${join(key.map((c) => glue`q.${ident(c.name)}`))}) AS o(${join(key.map((c) => ident(c.name)))}) WHERE ${and(key.map((c, i) => glue`l.${nth(i)} = ${c.convert}`))})`;
  const parts = {
    old_content: contentOf(t, 'o'),
    new_content: contentOf(t, 'n'),
    old_quarantined: and(key.map((c) => glue`q.${ident(c.name)} = o.${ident(c.name)}`)),
    new_quarantined: newQuarantined,
    old_pending: and(key.map((c, i) => glue`l.${nth(i)} = ${forward ? glue`o.${ident(c.name)}` : c.convert}`)),
    new_pending: and(key.map((c, i) => glue`l.${nth(i)} = ${forward ? c.back : glue`n.${ident(c.name)}`}`)),
  };
  const moved =
    forward && t.keyConverts
      ? join(
          key.map((c) => glue`${c.thereAndBack} IS DISTINCT FROM o.${ident(c.name)}`),
          ' OR ',
        )
      : sql('false');
  const whole = await compareWhole(db, t, names, parts, moved);
  if (whole !== null) return whole;
  const row = await db.one<{
    everything: boolean;
    oldRows: number;
    oldSum: string;
    newRows: number;
    newSum: string;
    quarantined: number;
    conflicts: number;
    quarantineWrong: number;
    moved: number;
  }>('rebuild-tables/compare', {
    names,
    parts: {
      ...parts,
      moved,
      quarantine_wrong: glue`NOT EXISTS (SELECT FROM ONLY ${ident(names.old)} o WHERE ${sameKeys} AND ${sameRow}) AND NOT ${pending} AND NOT EXISTS (SELECT FROM ONLY ${ident(names.new)} n WHERE ${newQuarantined})`,
    },
  });
  const equal = row.oldRows === row.newRows && row.oldSum === row.newSum;
  const differences = equal || row.everything ? [] : await differingKeys(db, t, names, parts);
  return {
    table: t,
    rows: row.newRows,
    checksum: row.newSum,
    quarantined: row.quarantined,
    conflicts: row.conflicts,
    quarantineWrong: row.quarantineWrong,
    moved: row.moved,
    differences,
    nothing: row.everything,
  };
}

/** The quick form, when nothing waits and nothing is set aside: no anti-joins, so the server may use parallel workers. null: not applicable, or not equal (a write may have come between), so ask per key. */
async function compareWhole(
  db: ReadDb,
  t: Rebuilt,
  names: Readonly<Record<'log' | 'quarantine' | 'old' | 'new', Relation>>,
  parts: Readonly<Record<'old_content' | 'new_content', Sql>>,
  moved: Sql,
): Promise<Compared | null> {
  const { nothing } = await db.one<{ nothing: boolean }>('rebuild-tables/nothing-waits', { names: { log: names.log, quarantine: names.quarantine } });
  if (!nothing) return null;
  let row: { oldRows: number; oldSum: string; moved: number; newRows: number; newSum: string };
  try {
    row = await db.one('rebuild-tables/compare-whole', {
      names: { old: names.old, new: names.new },
      parts: { old_content: parts.old_content, new_content: parts.new_content, moved },
    });
  } catch (error) {
    // a row that does not fit came between the two questions: it waits in the log, and the form by key leaves it out
    if (error instanceof QueryFailed && /^2[23]/.test(error.sqlstate)) return null;
    throw error;
  }
  if (row.oldRows !== row.newRows || row.oldSum !== row.newSum) return null;
  return {
    table: t,
    rows: row.newRows,
    checksum: row.newSum,
    quarantined: 0,
    conflicts: 0,
    quarantineWrong: 0,
    moved: row.moved,
    differences: [],
    nothing: false,
  };
}

async function differingKeys(
  db: ReadDb,
  t: Rebuilt,
  names: Readonly<Record<'log' | 'quarantine' | 'old' | 'new', Relation>>,
  parts: Readonly<Record<string, Sql>>,
): Promise<Compared['differences']> {
  const key = keyColumns(t);
  return db.rows<Compared['differences'][number]>('rebuild-tables/compare-keys', {
    names,
    parts: {
      ...parts,
      old_key: join(key.map((c, i) => glue`${c.convert} AS ${nth(i)}`)),
      new_key: join(key.map((c, i) => glue`n.${ident(c.name)} AS ${nth(i)}`)),
      both: join(key.map((_, i) => nth(i))),
      keys: join(key.map((_, i) => nth(i))),
    },
  });
}

/** What is wrong with a comparison, as sentences; [] when nothing is. Keys, never values. */
export function faultsOf(c: Compared): readonly { readonly message: string; readonly keys: readonly string[]; readonly count: number }[] {
  const name = display(c.table.table);
  const found = [];
  if (c.differences.length > 0) {
    const kinds = ['missing', 'extra', 'different']
      .map((what) => [what, c.differences.filter((d) => d.what === what).length] as const)
      .filter(([, n]) => n > 0);
    found.push({
      message: `${name}: ${kinds.map(([what, n]) => `${String(n)}${c.differences.length === 100 ? '+' : ''} rows ${what}`).join(', ')}`,
      keys: c.differences.map((d) => d.key),
      count: c.differences.length,
    });
  }
  if (c.quarantineWrong > 0)
    found.push({
      message: `${name}: ${String(c.quarantineWrong)} rows that were set aside are not in the retired table as they are`,
      keys: [],
      count: c.quarantineWrong,
    });
  if (c.moved > 0) found.push({ message: `${name}: ${String(c.moved)} keys do not come back as they were`, keys: [], count: c.moved });
  return found;
}
