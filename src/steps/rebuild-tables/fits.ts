import { display, type Relation } from '../../names.js';
import { glue, ident, join, type Sql } from '../../pg/render.js';
import { relation, type PlanFrame } from '../../plan/plan.js';
import { parseReferences, type RebuildSpec } from './spec.js';

/** A self-reference or a cycle of keys is followed this far; what lies beyond counts as fitting. */
const deepest = 3;

/** Per table of the group: a condition over its alias `t` for rows whose parents, by the keys that the plan adds, exist and fit themselves. Compared as text: the types may differ before. */
export function rowsThatFit(spec: RebuildSpec, plan: PlanFrame): readonly { readonly relation: Relation; readonly condition: Sql }[] {
  const written = new Map(Object.keys(spec).map((name) => [display(relation(name, plan)), name]));
  const conditionOf = (name: string, alias: string, depth: number): Sql => {
    const parents = Object.values(spec[name]?.['foreign-keys'] ?? {}).map((key): Sql => {
      const target = parseReferences(key.references);
      const parent = relation(target.table, plan);
      const inner = `p${String(depth)}`;
      const same = key.columns.map((column, i) => glue`${ident(inner)}.${ident(target.columns[i] ?? '')}::text = ${ident(alias)}.${ident(column)}::text`);
      const absent = key.columns.map((column) => glue`${ident(alias)}.${ident(column)} IS NULL`);
      const parentName = written.get(display(parent));
      const further = parentName === undefined || depth === deepest ? [] : [conditionOf(parentName, inner, depth + 1)];
      return glue`(${join(absent, ' OR ')} OR EXISTS (SELECT FROM ${ident(parent)} AS ${ident(inner)} WHERE ${join([...same, ...further], ' AND ')}))`;
    });
    return parents.length === 0 ? glue`true` : join(parents, ' AND ');
  };
  return [...written].map(([, name]) => ({ relation: relation(name, plan), condition: conditionOf(name, 't', 1) }));
}
