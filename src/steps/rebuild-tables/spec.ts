import { z } from 'zod';

/** Spec of `rebuild-tables`: what each table of the group shall be afterwards. What is not named is carried over exactly. */

const expression = z.string().min(1);
const name = z.string().min(1);
const columns = z.array(name).min(1);

const column = z.strictObject({
  /** the new type, as CREATE TABLE takes it; schema-qualified unless built in */
  type: expression.optional(),
  /** the new default as an expression; null takes the default away */
  default: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
  'not-null': z.boolean().optional(),
  /** old row -> new value; columns are named as in the old table */
  using: expression.optional(),
  /** new row -> old value, for the way back; columns are named as in the new table */
  back: expression.optional(),
});

const index = z
  .strictObject({ columns: columns.optional(), expression: expression.optional(), method: name.optional(), where: expression.optional() })
  .refine((i) => (i.columns === undefined) !== (i.expression === undefined), { error: 'write either columns: or expression:' });

const action = z.enum(['no action', 'restrict', 'cascade', 'set null', 'set default'], {
  error: 'write no action, restrict, cascade, set null or set default',
});

const foreignKey = z.strictObject({
  columns,
  references: z.string().regex(/^.+\([^()]+\)$/s, { error: 'write table(column) or schema.table(column, column)' }),
  'on-delete': action.optional(),
  'on-update': action.optional(),
});

const table = z.strictObject({
  columns: z.record(name, column).default({}),
  indexes: z.record(name, index).default({}),
  unique: z.record(name, z.strictObject({ columns })).default({}),
  'foreign-keys': z.record(name, foreignKey).default({}),
  /** rows without a parent or without a valid conversion: refuse, or set aside up to the approved number */
  unfit: z.enum(['quarantine', 'fail'], { error: 'write quarantine or fail' }).default('fail'),
});

export const rebuildSpec = z.record(name, table).refine((tables) => Object.keys(tables).length > 0, { error: 'name at least one table' });

export type RebuildSpec = z.infer<typeof rebuildSpec>;
export type TableSpec = z.infer<typeof table>;
export type ForeignKeySpec = z.infer<typeof foreignKey>;

/** `table(a, b)` in its parts. */
export function parseReferences(text: string): { readonly table: string; readonly columns: readonly string[] } {
  const open = text.lastIndexOf('(');
  const list = text.slice(open + 1, -1).split(',');
  return { table: text.slice(0, open).trim(), columns: list.map((c) => c.trim()) };
}

export const writtenNames = (spec: RebuildSpec): readonly string[] => Object.keys(spec);
