import { display, type Relation } from '../names.js';
import type { SchemaDifference, SchemaImage, SchemaObject } from '../proof/fingerprint.js';
import { differences } from '../proof/fingerprint.js';
import { withoutIndexName } from './definitions.js';
import { isSame } from './duplicates.js';
import type { DatabaseFacts, SchemaFacts } from './facts.js';
import type { Reference } from './references.js';
import { columnOf, familyOf, type Shape } from './shape.js';

/** What two databases disagree about, sorted by how it is told. `expected` is development, `actual` is production. */
export interface Disagreement {
  /** columns of tables that both have, whose types differ */
  readonly types: readonly SchemaDifference[];
  /** whole tables that one side lacks; their columns, keys and indexes are not listed again */
  readonly tables: readonly SchemaDifference[];
  /** every other difference, by object */
  readonly others: readonly SchemaDifference[];
  /** constraints and indexes that are the same but for their name: notes */
  readonly renamed: readonly Renamed[];
  /** schemas that only one side has; ours left out */
  readonly missingSchemas: readonly SchemaFacts[];
  readonly extraSchemas: readonly SchemaFacts[];
}

export interface Renamed {
  readonly table: Relation;
  readonly kind: SchemaDifference['kind'];
  readonly production: string;
  readonly development: string;
}

/** Sorts the differences of two images. Pure. */
export function disagreement(production: SchemaImage, development: SchemaImage, inProduction: DatabaseFacts, inDevelopment: DatabaseFacts): Disagreement {
  const lacks = (from: DatabaseFacts, other: DatabaseFacts): readonly SchemaFacts[] =>
    from.schemas.filter((s) => !other.schemas.some((o) => o.name === s.name));
  const all = differences(development, production).filter((d) => d.kind !== 'schema');
  const tables = all.filter((d) => d.kind === 'table' && d.what !== 'changed');
  const within = (o: SchemaObject): boolean =>
    tables.some(
      ({ of }) =>
        of.schema === o.schema && (of.name === o.parent || (o.kind === 'sequence' && ownerOf(o)?.schema === of.schema && ownerOf(o)?.name === of.name)),
    );
  const remaining = all.filter((d) => !tables.includes(d) && !within(d.of));
  const inBoth = new Set(production.objects.filter((o) => o.kind === 'table').map((o) => `${o.schema}.${o.name}`));
  const types = remaining.filter((d) => d.kind === 'column' && d.fact === 'type' && inBoth.has(`${d.of.schema}.${d.of.parent ?? ''}`));
  const { renamed, taken } = renames(remaining);
  return {
    types,
    tables,
    others: remaining.filter((d) => !types.includes(d) && !taken.has(d)),
    renamed,
    missingSchemas: lacks(inDevelopment, inProduction),
    extraSchemas: lacks(inProduction, inDevelopment),
  };
}

/** The table that owns a sequence: `schema.table.column`, quoted where needed. */
function ownerOf(o: SchemaObject): Relation | null {
  const match = /^("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^".]+)\./.exec(o.facts['owned-by'] ?? '');
  const plain = (text: string | undefined): string => (text?.startsWith('"') === true ? text.slice(1, -1).replaceAll('""', '"') : (text ?? ''));
  return match === null ? null : { schema: plain(match[1]), name: plain(match[2]) };
}

function renames(all: readonly SchemaDifference[]): { readonly renamed: readonly Renamed[]; readonly taken: ReadonlySet<SchemaDifference> } {
  const taken = new Set<SchemaDifference>();
  const renamed: Renamed[] = [];
  const named = all.filter((d) => d.kind === 'constraint' || d.kind === 'index');
  for (const missing of named.filter((d) => d.what === 'missing')) {
    const twin = named.find(
      (d) =>
        d.what === 'extra' &&
        !taken.has(d) &&
        d.kind === missing.kind &&
        d.of.schema === missing.of.schema &&
        d.of.parent === missing.of.parent &&
        essence(d.of) === essence(missing.of),
    );
    if (twin === undefined) continue;
    taken.add(missing).add(twin);
    renamed.push({
      table: { schema: missing.of.schema, name: missing.of.parent ?? '' },
      kind: missing.kind,
      production: twin.of.name,
      development: missing.of.name,
    });
  }
  return { renamed, taken };
}

const essence = (o: SchemaObject): string => (o.kind === 'index' ? withoutIndexName(o.facts['definition'] ?? '') : (o.facts['definition'] ?? ''));

/** A column that ought to have another type, and why. */
export interface TypeChange {
  readonly table: Relation;
  readonly column: string;
  readonly from: string;
  readonly to: string;
  /** null: development has it so. A reference: its parent's key has, or is to get, that type. */
  readonly because: Reference | null;
}

/**
 * The types that columns of `shapes` ought to have: those of `others` (null: the side is its own model), and through references the type of
 * the parent's key where a text column names uuid or integer keys: when that key changes, or when the column is NOT NULL, so that it must
 * name something. The other way round nothing is proposed: making a key text is never needed.
 */
export function wantedTypes(shapes: readonly Shape[], others: readonly Shape[] | null, references: readonly Reference[]): readonly TypeChange[] {
  const changes: TypeChange[] = [];
  for (const shape of shapes) {
    const model = others?.find((o) => isSame(o.table, shape.table));
    for (const column of shape.columns) {
      const to = model === undefined ? undefined : columnOf(model, column.name)?.type;
      if (to !== undefined && to !== column.type) changes.push({ table: shape.table, column: column.name, from: column.type, to, because: null });
    }
  }
  const target = (table: Relation, column: string): string => {
    const shape = shapes.find((s) => isSame(s.table, table));
    return changes.find((c) => isSame(c.table, table) && c.column === column)?.to ?? (shape === undefined ? undefined : columnOf(shape, column)?.type) ?? '';
  };
  for (let grown = true; grown;) {
    grown = false;
    for (const reference of references) {
      for (const [i, column] of reference.columns.entries()) {
        const [child, parent] = [target(reference.table, column), target(reference.parent, reference.parentColumns[i] ?? '')];
        if (familyOf(child) !== 'text' || !['uuid', 'integer'].includes(familyOf(parent))) continue;
        const already = changes.find((c) => isSame(c.table, reference.table) && c.column === column);
        const shape = shapes.find((s) => isSame(s.table, reference.table));
        const own = shape === undefined ? undefined : columnOf(shape, column);
        // a type that development itself wants is not argued with
        if (own === undefined || already !== undefined) continue;
        const keyChanges = changes.some((c) => isSame(c.table, reference.parent) && c.column === reference.parentColumns[i]);
        if (!keyChanges && !own.notNull) continue;
        changes.push({ table: reference.table, column, from: own.type, to: parent, because: reference });
        grown = true;
      }
    }
  }
  return changes;
}

/** One sentence half for a difference: what production and development have. */
export function sides(d: SchemaDifference): { readonly production: string; readonly development: string } {
  if (d.what === 'missing') return { production: 'absent', development: summary(d.of) };
  if (d.what === 'extra') return { production: summary(d.of), development: 'absent' };
  return { production: short(d.actual), development: short(d.expected) };
}

const summary = (o: SchemaObject): string =>
  o.kind === 'function' ? (o.facts['kind'] ?? 'present') : short(o.facts['definition'] ?? o.facts['type'] ?? 'present');

const short = (text: string | undefined): string => {
  if (text === undefined) return 'none';
  const line = text.replace(/\s+/g, ' ');
  return line.length > 160 ? `${line.slice(0, 157)}…` : line;
};

export const tableOf = (d: SchemaDifference): string =>
  d.kind === 'table' ? display({ schema: d.of.schema, name: d.of.name }) : display({ schema: d.of.schema, name: d.of.parent ?? d.of.name });

/** How much a schema holds, in words. */
export const holding = (s: SchemaFacts): string => `${plural(s.tables, 'table')}, ${plural(s.views, 'view')}, ${plural(s.functions, 'function')}`;

/** `1 row`, `2 rows` */
export const plural = (n: number, one: string, many = `${one}s`): string => `${String(n)} ${n === 1 ? one : many}`;
