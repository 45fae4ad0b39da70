import type { ReadDb } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, literal, type Sql } from '../../pg/render.js';
import { columnsOf, keyColumns, type Group, type KeyPlan, type Rebuilt } from './design.js';

/**
 * Rows that cannot stay because a foreign key of the plan finds no parent for them, and the children of such rows. The
 * same question is asked of the untouched tables (`before`: values converted on the fly), of the shadows, and of the
 * tables after the swap, so the three counts mean the same.
 */
export type Side = { readonly kind: 'before'; readonly unfit: readonly (readonly string[])[] } | { readonly kind: 'after' };

export interface OrphanCount {
  readonly table: Rebuilt;
  readonly key: string;
  readonly rows: number;
  /** up to 100 keys as text */
  readonly keys: readonly string[];
}

const sql = fromCatalog;
const source = (i: number): Sql => sql(`s${String(i)}`);
const orphans = (i: number): Sql => sql(`b${String(i)}`);

/** Keys that matter for orphans of table `i`: those of the plan, and carried ones whose parents may leave. */
const keysOf = (group: Group, i: number): readonly KeyPlan[] =>
  group.keys.filter((k) => k.childAt === i && k.after.validated && (k.planned || k.parentAt >= 0));

/** Tables, parents first; null when keys between the tables run in a circle. */
export function parentsFirst(group: Group): readonly number[] | null {
  const order: number[] = [];
  const left = new Set(group.tables.keys());
  while (left.size > 0) {
    const next = [...left].find((i) => keysOf(group, i).every((k) => k.parentAt < 0 || k.parentAt === i || !left.has(k.parentAt)));
    if (next === undefined) return null;
    left.delete(next);
    order.push(next);
  }
  return order;
}

/** Columns of table `i` that orphan questions need: its key, its foreign keys, and what keys in the group refer to. */
function wanted(group: Group, i: number): readonly string[] {
  const t = group.tables[i];
  return [
    ...new Set([...(t?.key ?? []), ...group.keys.flatMap((k) => [...(k.childAt === i ? k.childColumns : []), ...(k.parentAt === i ? k.parentColumns : [])])]),
  ];
}

/** The common table expressions s<i> (rows in the new types) and b<i> (rows without a parent; columns as wanted, and `reason`). */
export function orphanSources(group: Group, side: Side): Sql {
  const order = parentsFirst(group) ?? [...group.tables.keys()];
  const parts = order.flatMap((i) => {
    const t = group.tables[i];
    if (t === undefined) return [];
    const names = wanted(group, i);
    const values = columnsOf(t, names).map((c) => glue`${side.kind === 'before' ? c.convert : glue`o.${ident(c.name)}`} AS ${ident(c.name)}`);
    const unfit = side.kind === 'before' ? (side.unfit[i] ?? []) : [];
    const fit =
      unfit.length === 0
        ? sql('true')
        : glue`ROW(${join(keyColumns(t).map((c) => glue`o.${ident(c.name)}`))})::text <> ALL (ARRAY[${join(unfit.map(literal))}])`;
    const rows = glue`${source(i)} AS NOT MATERIALIZED (SELECT ${join(values)} FROM ONLY ${ident(t.table)} o WHERE ${fit})`;
    const keys = keysOf(group, i);
    const self = keys.filter((k) => k.parentAt === i);
    const done = order.slice(0, order.indexOf(i));
    const joins = keys.map((k, n) => {
      const p = sql(`p${String(n)}`);
      const on = join(
        k.childColumns.map((c, x) => glue`${p}.${ident(k.parentColumns[x] ?? '')} = c.${ident(c)}`),
        ' AND ',
      );
      const parent = k.parentAt < 0 ? glue`ONLY ${ident(k.parent)}` : source(k.parentAt);
      const gone = done.includes(k.parentAt)
        ? glue` LEFT JOIN ${orphans(k.parentAt)} g${sql(String(n))} ON ${join(
            k.childColumns.map((c, x) => glue`g${sql(String(n))}.${ident(k.parentColumns[x] ?? '')} = c.${ident(c)}`),
            ' AND ',
          )}`
        : sql('');
      return glue`LEFT JOIN ${parent} ${p} ON ${on}${gone}`;
    });
    const reasons = keys.map((k, n) => {
      const given = join(
        k.childColumns.map((c) => glue`c.${ident(c)} IS NOT NULL`),
        ' AND ',
      );
      const p = ident(k.parentColumns[0] ?? '');
      const gone = done.includes(k.parentAt) ? glue` OR g${sql(String(n))}.${p} IS NOT NULL` : sql('');
      return glue`WHEN ${given} AND (p${sql(String(n))}.${p} IS NULL${gone}) THEN ${literal(k.name)}`;
    });
    const columns = join(names.map((n) => glue`c.${ident(n)}`));
    if (keys.length === 0) return [rows, glue`${orphans(i)} AS (SELECT ${columns}, NULL::text AS reason FROM ${source(i)} c WHERE false)`];
    const direct = glue`SELECT * FROM (SELECT ${columns}, CASE ${join(reasons, ' ')} END AS reason FROM ${source(i)} c ${join(joins, ' ')}) x WHERE x.reason IS NOT NULL`;
    if (self.length === 0) return [rows, glue`${orphans(i)} AS MATERIALIZED (${direct})`];
    const found = sql(`r${String(i)}`);
    const steps = self.map((k) =>
      join(
        k.childColumns.map((c, x) => glue`c.${ident(c)} = b.${ident(k.parentColumns[x] ?? '')}`),
        ' AND ',
      ),
    );
    const key = join(t.key.map((n) => ident(n)));
    return [
      rows,
      glue`${found} AS (${direct} UNION SELECT ${columns}, ${literal(self[0]?.name ?? '')} FROM ${source(i)} c JOIN ${found} b ON ${join(
        steps.map((s) => glue`(${s})`),
        ' OR ',
      )})`,
      glue`${orphans(i)} AS MATERIALIZED (SELECT DISTINCT ON (${key}) * FROM ${found} ORDER BY ${key})`,
    ];
  });
  return join(parts, ',\n');
}

/** Whether any table of the group may have orphans at all. */
export const mayHaveOrphans = (group: Group): boolean => group.tables.some((_, i) => keysOf(group, i).length > 0);

/**
 * A quick look, one foreign key at a time: false means that no row lacks a parent. `before`: the old tables, converted on the
 * fly (every value must be convertible). `shadow`: the shadows, with their types; they are of slightly different moments, so
 * true only means that the exact count is needed; the validation after the swap judges in the end. `carriedToo`: parents are set aside.
 */
export async function anyOrphan(db: ReadDb, group: Group, side: 'before' | 'shadow', carriedToo: boolean): Promise<boolean> {
  const rowsOf = (t: Rebuilt, names: readonly string[]): Sql =>
    side === 'shadow'
      ? glue`ONLY ${ident(t.shadow)}`
      : glue`(SELECT ${join(columnsOf(t, names).map((c) => glue`${c.convert} AS ${ident(c.name)}`))} FROM ONLY ${ident(t.table)} o)`;
  for (const k of group.keys.filter((x) => x.childAt >= 0 && x.after.validated && (x.planned || (carriedToo && x.parentAt >= 0)))) {
    const child = group.tables[k.childAt];
    const parent = k.parentAt < 0 ? undefined : group.tables[k.parentAt];
    if (child === undefined) continue;
    const { rows } = await db.one<{ rows: number }>('rebuild-tables/any-orphan', {
      parts: {
        child: rowsOf(child, k.childColumns),
        parent: parent === undefined ? glue`ONLY ${ident(k.parent)}` : rowsOf(parent, k.parentColumns),
        given: join(
          k.childColumns.map((c) => glue`c.${ident(c)} IS NOT NULL`),
          ' AND ',
        ),
        match: join(
          k.childColumns.map((c, i) => glue`p.${ident(k.parentColumns[i] ?? '')} = c.${ident(c)}`),
          ' AND ',
        ),
      },
    });
    if (rows > 0) return true;
  }
  return false;
}

/** Exact counts per table and key, of one snapshot. Locks: ACCESS SHARE. */
export async function countOrphans(db: ReadDb, group: Group, side: Side): Promise<readonly OrphanCount[]> {
  if (!mayHaveOrphans(group)) return [];
  const each = group.tables.map(
    (t, i) => glue`SELECT ${sql(String(i))} AS t, reason, ROW(${join(t.key.map((n) => ident(n)))})::text AS key FROM ${orphans(i)}`,
  );
  const rows = await db.rows<{ table: number; reason: string; rows: number; keys: string[] }>('rebuild-tables/orphans', {
    parts: { sources: orphanSources(group, side), orphans: join(each, ' UNION ALL ') },
  });
  return rows.flatMap((r) => {
    const table = group.tables[r.table];
    return table === undefined ? [] : [{ table, key: r.reason, rows: r.rows, keys: r.keys }];
  });
}

/** Rows outside the group that would lose their parent if the orphans of the group left. */
export async function countOutsideChildren(db: ReadDb, group: Group, side: Side): Promise<readonly { readonly key: KeyPlan; readonly rows: number }[]> {
  const found = [];
  for (const key of group.keys.filter((k) => k.childAt < 0 && k.parentAt >= 0)) {
    if (keysOf(group, key.parentAt).length === 0) continue;
    const match = join(
      key.childColumns.map((c, x) => glue`c.${ident(c)} = b.${ident(key.parentColumns[x] ?? '')}`),
      ' AND ',
    );
    const { rows } = await db.one<{ rows: number }>('rebuild-tables/outside-children', {
      names: { child: key.child },
      parts: { sources: orphanSources(group, side), orphans: orphans(key.parentAt), match },
    });
    if (rows > 0) found.push({ key, rows });
  }
  return found;
}
export { orphans as orphanRows };
