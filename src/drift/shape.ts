import type { Relation } from '../names.js';
import type { SchemaImage, SchemaObject } from '../proof/fingerprint.js';
import { grouped } from './words.js';
import { readForeignKey, readIndex, readKey } from './definitions.js';

/** The part of a table's definition that guesses are made from. */
export interface Shape {
  readonly table: Relation;
  readonly columns: readonly ShapeColumn[];
  /** columns of the primary key in key order; [] when there is none */
  readonly primaryKey: readonly string[];
  /** unique constraints */
  readonly unique: readonly { readonly name: string; readonly columns: readonly string[] }[];
  readonly foreignKeys: readonly ShapeKey[];
  readonly indexes: readonly ShapeIndex[];
  readonly partitioned: boolean;
}

export interface ShapeColumn {
  readonly name: string;
  /** format_type */
  readonly type: string;
  readonly notNull: boolean;
  /** pg_get_expr, or null */
  readonly default: string | null;
}

export interface ShapeKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly to: Relation;
  readonly toColumns: readonly string[];
  /** `no action`, `restrict`, `cascade`, `set null`, `set default` */
  readonly onDelete: string;
  readonly onUpdate: string;
}

export interface ShapeIndex {
  readonly name: string;
  readonly method: string;
  /** plain columns in order, or null when a part is an expression, has an operator class, an order or included columns */
  readonly columns: readonly string[] | null;
  /** predicate, or null */
  readonly where: string | null;
  readonly unique: boolean;
}

export const columnOf = (shape: Shape, name: string): ShapeColumn | undefined => shape.columns.find((c) => c.name === name);

/** Types that hold the same kind of value, so that a comparison as text makes sense. */
export type TypeFamily = 'text' | 'uuid' | 'integer' | 'number' | 'time' | 'json' | 'boolean' | 'other';
export function familyOf(type: string): TypeFamily {
  if (/^(text|character varying|character|citext|name|bpchar|varchar|char)\b/.test(type)) return 'text';
  if (type === 'uuid') return 'uuid';
  if (/^(smallint|integer|bigint)$/.test(type)) return 'integer';
  if (/^(numeric|real|double precision)/.test(type)) return 'number';
  if (/^(timestamp|date|time|interval)/.test(type)) return 'time';
  if (/^jsonb?$/.test(type)) return 'json';
  return type === 'boolean' ? 'boolean' : 'other';
}

/** May a column of one type hold the key of the other, written as text? */
export function couldRefer(child: string, parent: string): boolean {
  const a = familyOf(child);
  const b = familyOf(parent);
  return a === b
    ? a === 'text' || a === 'uuid' || a === 'integer'
    : (a === 'text' && (b === 'uuid' || b === 'integer')) || (b === 'text' && (a === 'uuid' || a === 'integer'));
}

/** The tables of an image (not partitions, not foreign tables, not views) with their columns and keys. */
export function shapesOf(image: SchemaImage): readonly Shape[] {
  const of = (kind: SchemaObject['kind']): ReadonlyMap<string, readonly SchemaObject[]> =>
    grouped(
      image.objects.filter((o) => o.kind === kind && o.parent !== null),
      (o) => `${o.schema}.${o.parent ?? ''}`,
    );
  const [columns, constraints, indexes] = [of('column'), of('constraint'), of('index')];
  const tables = image.objects.filter((o) => o.kind === 'table' && o.facts['kind'] !== 'foreign table' && o.facts['partition-bound'] === undefined);
  return tables.map((t): Shape => {
    const id = `${t.schema}.${t.name}`;
    const keys = constraints.get(id) ?? [];
    const ofKind = (kind: string): readonly SchemaObject[] => keys.filter((k) => k.facts['kind'] === kind);
    return {
      table: { schema: t.schema, name: t.name },
      columns: (columns.get(id) ?? []).map((c) => ({
        name: c.name,
        type: c.facts['type'] ?? '',
        notNull: c.facts['not-null'] === 'true',
        default: c.facts['default'] ?? null,
      })),
      primaryKey: ofKind('primary key').flatMap((k) => readKey(k.facts['definition'] ?? '') ?? []),
      unique: ofKind('unique').flatMap((k) => {
        const of = readKey(k.facts['definition'] ?? '');
        return of === null ? [] : [{ name: k.name, columns: of }];
      }),
      foreignKeys: ofKind('foreign key').flatMap((k) => readForeignKey(k.name, k.facts['definition'] ?? '') ?? []),
      indexes: (indexes.get(id) ?? []).map((i) => readIndex(i.name, i.facts['definition'] ?? '')),
      partitioned: t.facts['kind'] === 'partitioned table',
    };
  });
}
