import { display, type Relation } from '../names.js';
import { isSame } from './duplicates.js';
import { columnOf, couldRefer, familyOf, type Shape } from './shape.js';
import { bareWords, grouped, nameKey, words } from './words.js';

/** A column that names rows of another table. */
export interface Reference {
  readonly table: Relation;
  readonly columns: readonly string[];
  readonly parent: Relation;
  readonly parentColumns: readonly string[];
  /** declared: a foreign key of this database. elsewhere: a foreign key of the other database. implied: only the column's name says so. */
  readonly by: 'declared' | 'elsewhere' | 'implied';
  /** of the foreign key, or '' */
  readonly name: string;
  readonly onDelete: string;
  readonly onUpdate: string;
  /** the two sides have types of different kinds: compared as text */
  readonly asText: boolean;
}

/**
 * Declared foreign keys of `shapes`, those that only `others` declares, and those a column's name implies: `export_id` and `exportId` mean the
 * single-column key of the one table whose name without the project's prefix is `export` or `exports`. A name that fits two tables implies nothing.
 */
export function references(shapes: readonly Shape[], others: readonly Shape[], prefix: readonly string[]): readonly Reference[] {
  const byName = new Map(shapes.map((s) => [display(s.table), s]));
  const find = (relation: Relation): Shape | undefined => byName.get(display(relation));
  const found: Reference[] = [];
  const taken = new Set<string>();
  const id = (table: Relation, columns: readonly string[]): string => JSON.stringify([table.schema, table.name, ...columns]);
  const known = (table: Relation, columns: readonly string[]): boolean => taken.has(id(table, columns));
  const add = (
    shape: Shape,
    columns: readonly string[],
    parent: Shape,
    parentColumns: readonly string[],
    rest: Pick<Reference, 'by' | 'name' | 'onDelete' | 'onUpdate'>,
  ): void => {
    const types = columns.map((name, i) => [columnOf(shape, name)?.type, columnOf(parent, parentColumns[i] ?? '')?.type] as const);
    if (types.some(([child, key]) => child === undefined || key === undefined)) return;
    taken.add(id(shape.table, columns));
    found.push({
      table: shape.table,
      columns,
      parent: parent.table,
      parentColumns,
      asText: types.some(([child, key]) => child !== key && (familyOf(child ?? '') !== familyOf(key ?? '') || familyOf(key ?? '') === 'other')),
      ...rest,
    });
  };
  for (const shape of shapes) {
    for (const key of shape.foreignKeys) {
      const parent = find(key.to);
      if (parent !== undefined)
        add(shape, key.columns, parent, key.toColumns, { by: 'declared', name: key.name, onDelete: key.onDelete, onUpdate: key.onUpdate });
    }
  }
  for (const other of others) {
    const shape = find(other.table);
    for (const key of shape === undefined ? [] : other.foreignKeys) {
      const parent = find(key.to);
      if (shape === undefined || parent === undefined || known(shape.table, key.columns)) continue;
      add(shape, key.columns, parent, key.toColumns, { by: 'elsewhere', name: key.name, onDelete: key.onDelete, onUpdate: key.onUpdate });
    }
  }
  const parents = grouped(
    shapes.filter((s) => s.primaryKey.length === 1),
    (s) => nameKey(bareWords(s.table.name, prefix)),
  );
  for (const shape of shapes) {
    for (const column of shape.columns) {
      const stem = words(column.name);
      if (stem.length < 2 || stem.at(-1) !== 'id' || known(shape.table, [column.name])) continue;
      const candidates = (parents.get(nameKey(stem.slice(0, -1))) ?? []).filter((s) => s.table.schema === shape.table.schema);
      // with a duplicate beside it (users and app_users) the prefixed one is the project's own
      const own = candidates.filter((s) => words(s.table.name).length > stem.length - 1);
      const parent = candidates.length === 1 ? candidates[0] : own.length === 1 ? own[0] : undefined;
      const key = parent?.primaryKey[0];
      if (parent === undefined || key === undefined) continue;
      if (isSame(parent.table, shape.table) && shape.primaryKey.includes(column.name)) continue;
      if (!couldRefer(column.type, columnOf(parent, key)?.type ?? '')) continue;
      add(shape, [column.name], parent, [key], { by: 'implied', name: '', onDelete: 'no action', onUpdate: 'no action' });
    }
  }
  return found;
}
