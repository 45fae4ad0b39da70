import type { Relation } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../../pg/render.js';
import type { PlanFrame } from '../../plan/plan.js';
import type { Group, Rebuilt } from './design.js';
import { readGroup } from './read.js';
import type { RebuildSpec } from './spec.js';

/**
 * Rows of each table that will be there, unchanged in meaning, after the rebuild, as a condition over `t` that never fails:
 * what synthetic writers may copy. Compared as text, because the types of both sides meet only afterwards.
 */
export async function fits(db: ReadDb, spec: RebuildSpec, plan: PlanFrame): Promise<readonly { readonly relation: Relation; readonly condition: Sql }[]> {
  const { group } = await readGroup(db, 'r00000000', plan, spec);
  return group.tables.map((t, i) => ({ relation: t.table, condition: condition(group, i, 't', new Set()) }));
}

const uuid = fromCatalog("'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'");
const whole = fromCatalog("'^-?[0-9]{1,9}$'");

function valueFits(t: Rebuilt, alias: Sql): readonly Sql[] {
  return t.columns
    .filter((c) => c.changed)
    .flatMap((c) => {
      const value = glue`${alias}.${ident(c.name)}`;
      const length = /^character(?: varying)?\((\d+)\)$/.exec(c.newType)?.[1];
      if (length !== undefined) return [glue`(${value} IS NULL OR char_length(${value}::text) <= ${fromCatalog(length)})`];
      if (c.newType === 'uuid') return [glue`(${value} IS NULL OR ${value}::text ~ ${uuid})`];
      if (['smallint', 'integer', 'bigint', 'numeric'].includes(c.newType)) return [glue`(${value} IS NULL OR ${value}::text ~ ${whole})`];
      return [];
    });
}

function condition(group: Group, i: number, alias: string, above: ReadonlySet<number>): Sql {
  const t = group.tables[i];
  if (t === undefined) return fromCatalog('true');
  const a = fromCatalog(alias);
  const parents = group.keys
    .filter((k) => k.childAt === i && k.planned)
    .map((k, n) => {
      const p = `${alias}_${String(n)}`;
      const given = join(
        k.childColumns.map((c) => glue`${a}.${ident(c)} IS NULL`),
        ' OR ',
      );
      const match = join(
        k.childColumns.map((c, x) => glue`${fromCatalog(p)}.${ident(k.parentColumns[x] ?? '')}::text = ${a}.${ident(c)}::text`),
        ' AND ',
      );
      const inner = k.parentAt < 0 || k.parentAt === i || above.has(k.parentAt) ? fromCatalog('true') : condition(group, k.parentAt, p, new Set([...above, i]));
      return glue`(${given} OR EXISTS (SELECT FROM ONLY ${ident(k.parent)} ${fromCatalog(p)} WHERE ${match} AND ${inner}))`;
    });
  const all = [...valueFits(t, a), ...parents];
  return all.length === 0 ? fromCatalog('true') : join(all, ' AND ');
}
