import { captureOf, type Capture, type KeyColumn } from '../../online/capture.js';
import type { Drain } from '../../online/drain.js';
import { inControl, newSchema, oldSchema, type RunId } from '../../names.js';
import { fromCatalog, fromPlan, glue, ident, join, type Sql } from '../../pg/render.js';
import { relation, type PlanFrame } from '../../plan/plan.js';
import { parseReferences, type ForeignKeySpec, type TableSpec } from './spec.js';
import type { Shape, ShapeColumn } from './shape.js';

/** From the plan and the catalog to what will be built. Pure. What undo and cleanup need of it is stored in the receipt as it is. */

/** A relation as it is stored in a receipt. */
export type Relation = { readonly schema: string; readonly name: string };

export type ColumnPlan = {
  readonly name: string;
  readonly oldType: string;
  readonly newType: string;
  /** type or value changes */
  readonly changed: boolean;
  /** generated columns are never inserted */
  readonly insertable: boolean;
  /** of the new column, when it is not its type's own */
  readonly collation: string | null;
  /** false for GENERATED ALWAYS AS IDENTITY */
  readonly updatable: boolean;
  /** new value from the old row `o` */
  readonly convert: Sql;
  /** old value from the new row `n` */
  readonly back: Sql;
  /** old value after there and back again, from the old row `o` */
  readonly thereAndBack: Sql;
  /** on the old row `o`: true where the conversion would silently lose something; null where it cannot */
  readonly loses: Sql | null;
  readonly notNull: boolean;
  /** its hash follows textual identity, so it may be hashed as it is; else as text */
  readonly rawHash: boolean;
};

export type Rebuilt = {
  readonly oid: number;
  readonly table: Relation;
  /** as written in the plan, for counts and messages */
  readonly written: string;
  readonly shadow: Relation;
  readonly old: Relation;
  readonly columns: readonly ColumnPlan[];
  /** names of the primary key's columns */
  readonly key: readonly string[];
  readonly unfit: 'quarantine' | 'fail';
  /** a column changes, so rows may be unfit */
  readonly converts: boolean;
  readonly keyConverts: boolean;
  readonly sequences: readonly {
    readonly kind: 'serial' | 'identity';
    readonly schema: string;
    readonly name: string;
    readonly column: string;
    readonly widen: string | null;
    readonly type: string;
  }[];
};

/** A foreign key from or to the group, before and after. */
export type KeyPlan = {
  readonly name: string;
  readonly child: Relation;
  readonly parent: Relation;
  readonly childColumns: readonly string[];
  readonly parentColumns: readonly string[];
  /** index of the table in the group, or -1 */
  readonly childAt: number;
  readonly parentAt: number;
  readonly before: { readonly definition: string; readonly validated: boolean } | null;
  readonly after: { readonly definition: string; readonly validated: boolean };
  /** named by the plan: rows that do not satisfy it are set aside or refused */
  readonly planned: boolean;
  readonly comment: string | null;
};

export type Group = { readonly tables: readonly Rebuilt[]; readonly keys: readonly KeyPlan[] };

/** Types whose hash functions distinguish what their text distinguishes. */
const rawTypes = new Set([
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'text',
  'character varying',
  'uuid',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'bytea',
  'name',
  'oid',
  'inet',
  'macaddr',
]);
export const collatable = (type: string): boolean => /^(text|character|bpchar|name|"char")/.test(type);
const bareOf = (type: string): string => type.replace(/\([^)]*\)/, '');

/** varchar(n) and char(n) cut silently when cast explicitly; without the modifier the column's own length check raises instead. */
const castTo = (type: string): string =>
  /^character( varying)?\([^)]*\)$/.test(type) ? (type.startsWith('character varying') ? 'character varying' : 'bpchar') : type;

export interface Source {
  readonly table: Relation;
  readonly written: string;
  readonly spec: TableSpec;
  readonly shape: Shape;
  /** canonical names of the types that the plan names, by column */
  readonly types: Readonly<Record<string, string>>;
}

function columnPlan(column: ShapeColumn, source: Source): ColumnPlan {
  const wanted = source.spec.columns[column.name];
  const newType = source.types[column.name] ?? column.type;
  const changed = newType !== column.type || wanted?.using !== undefined;
  const id = ident(column.name);
  const old = glue`o.${id}`;
  const cast = (value: Sql, type: string): Sql => glue`CAST(${value} AS ${fromCatalog(castTo(type))})`;
  const convert =
    wanted?.using !== undefined ? cast(glue`(SELECT (${fromPlan(wanted.using)}) FROM (SELECT (o).*) AS "row")`, newType) : changed ? cast(old, newType) : old;
  const back =
    wanted?.back !== undefined
      ? cast(glue`(SELECT (${fromPlan(wanted.back)}) FROM (SELECT (n).*) AS "row")`, column.type)
      : changed
        ? cast(glue`n.${id}`, column.type)
        : glue`n.${id}`;
  const thereAndBack = !changed
    ? old
    : wanted?.back !== undefined
      ? cast(glue`(SELECT (${fromPlan(wanted.back)}) FROM (SELECT ${convert} AS ${id}) AS "row")`, column.type)
      : cast(convert, column.type);
  // json and xml have no equality, and their spelling is not what they mean
  const textual = ['text', 'character varying', 'character', 'bpchar', 'json', 'xml'].includes(column.bare);
  const modified = newType.includes('(') && castTo(newType) === newType;
  const losses = [
    ...(textual || newType === 'text' ? [] : [glue`${thereAndBack} IS DISTINCT FROM ${old}`]),
    ...(modified ? [glue`CAST(${old} AS ${fromCatalog(bareOf(newType))}) IS DISTINCT FROM ${convert}`] : []),
  ];
  return {
    name: column.name,
    oldType: column.type,
    newType,
    changed,
    insertable: column.generatedKind === '',
    collation: collatable(newType) ? column.collation : null,
    updatable: column.identity !== 'a',
    convert,
    back,
    thereAndBack,
    loses: changed && wanted?.using === undefined && losses.length > 0 ? join(losses, ' OR ') : null,
    notNull: wanted?.['not-null'] ?? column.notNull,
    rawHash: rawTypes.has(bareOf(newType)) && column.collation === null,
  };
}

export function design(run: RunId, plan: PlanFrame, sources: readonly Source[]): Group {
  const schemas = [...new Set(sources.map((s) => s.table.schema))];
  const tables = sources.map((source): Rebuilt => {
    const i = schemas.indexOf(source.table.schema);
    const columns = source.shape.columns.map((c) => columnPlan(c, source));
    const key = source.shape.constraints.find((k) => k.type === 'p')?.columns ?? [];
    return {
      oid: source.shape.oid,
      table: source.table,
      written: source.written,
      shadow: { schema: newSchema(run, i), name: source.table.name },
      old: { schema: oldSchema(run, i), name: source.table.name },
      columns,
      key,
      unfit: source.spec.unfit,
      converts: columns.some((c) => c.changed || (c.notNull && !source.shape.columns.some((s) => s.name === c.name && s.notNull))),
      keyConverts: columns.some((c) => c.changed && key.includes(c.name)),
      sequences: source.shape.sequences.map((s) => {
        const type = columns.find((c) => c.name === s.column)?.newType ?? s.type;
        return {
          kind: s.kind,
          schema: s.schema,
          name: s.name,
          column: s.column,
          type: s.type,
          widen: s.kind === 'serial' && type !== s.type && ['integer', 'bigint'].includes(type) ? type : null,
        };
      }),
    };
  });
  return { tables, keys: keyPlans(plan, sources) };
}

/** Final foreign keys: those of the plan, and every other from or to the group as it was. */
function keyPlans(plan: PlanFrame, sources: readonly Source[]): readonly KeyPlan[] {
  const at = (r: Relation): number => sources.findIndex((s) => s.table.schema === r.schema && s.table.name === r.name);
  const planned = sources.flatMap((s) => Object.entries(s.spec['foreign-keys']).map(([name, spec]) => plannedKey(plan, s, name, spec, at)));
  const seen = new Set(planned.map((k) => `${String(k.childAt)} ${k.name}`));
  const carried: KeyPlan[] = [];
  for (const fk of sources.flatMap((s) => s.shape.foreignKeys)) {
    const id = `${at(fk.child) < 0 ? `${fk.child.schema}.${fk.child.name}` : String(at(fk.child))} ${fk.name}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const state = { definition: fk.definition, validated: fk.validated };
    carried.push({
      name: fk.name,
      child: fk.child,
      parent: fk.parent,
      childColumns: fk.childColumns,
      parentColumns: fk.parentColumns,
      childAt: at(fk.child),
      parentAt: at(fk.parent),
      before: state,
      after: state,
      planned: false,
      comment: fk.comment,
    });
  }
  return [...planned, ...carried];
}

function plannedKey(plan: PlanFrame, source: Source, name: string, spec: ForeignKeySpec, at: (r: Relation) => number): KeyPlan {
  const target = parseReferences(spec.references);
  const parent = relation(target.table, plan);
  const existing = source.shape.foreignKeys.find((k) => k.name === name && k.childOid === source.shape.oid);
  const actions = `${spec['on-update'] === undefined ? '' : ` ON UPDATE ${spec['on-update'].toUpperCase()}`}${spec['on-delete'] === undefined ? '' : ` ON DELETE ${spec['on-delete'].toUpperCase()}`}`;
  const definition = `FOREIGN KEY (${join(spec.columns.map((c) => ident(c)))}) REFERENCES ${ident(parent)}(${join(target.columns.map((c) => ident(c)))})${actions}`;
  return {
    name,
    child: source.table,
    parent,
    childColumns: spec.columns,
    parentColumns: target.columns,
    childAt: at(source.table),
    parentAt: at(parent),
    before: existing === undefined ? null : { definition: existing.definition, validated: existing.validated },
    after: { definition, validated: true },
    planned: true,
    comment: existing?.comment ?? null,
  };
}

// ---- expressions over a table of the group -------------------------------------------------------------------------

export const columnsOf = (t: Rebuilt, names: readonly string[]): readonly ColumnPlan[] =>
  names.map((name) => t.columns.find((c) => c.name === name)).filter((c) => c !== undefined);
export const keyColumns = (t: Rebuilt): readonly ColumnPlan[] => columnsOf(t, t.key);
export const insertable = (t: Rebuilt): readonly ColumnPlan[] => t.columns.filter((c) => c.insertable);
export const columnList = (t: Rebuilt): Sql => join(insertable(t).map((c) => ident(c.name)));
export const convertList = (t: Rebuilt): Sql => join(insertable(t).map((c) => c.convert));

/** k1 = the first key column … of `side`, whose rows are called `alias` */
export const sameKey = (t: Rebuilt, alias: string, other: string): Sql =>
  join(
    keyColumns(t).map((c, i) => glue`${fromCatalog(alias)}.${ident(c.name)} = ${fromCatalog(`${other}.k${String(i + 1)}`)}`),
    ' AND ',
  );

const collate = (shape: Shape | null, c: ColumnPlan): Sql => {
  const collation = shape?.columns.find((s) => s.name === c.name)?.collation ?? null;
  return fromCatalog(collation === null ? '' : ` COLLATE ${collation}`);
};

/** Capture of the application's writes before the swap (keys in the old types) and after it (in the new ones). */
export const forwardCapture = (run: RunId, t: Rebuilt, shape: Shape | null): Capture =>
  captureOf(
    run,
    t.oid,
    t.table,
    keyColumns(t).map((c): KeyColumn => ({ name: c.name, type: glue`${fromCatalog(c.oldType)}${collate(shape, c)}` })),
  );
export const reverseCapture = (run: RunId, t: Rebuilt): Capture =>
  captureOf(
    run,
    t.oid,
    t.table,
    keyColumns(t).map((c): KeyColumn => ({ name: c.name, type: fromCatalog(c.collation == null ? c.newType : `${c.newType} COLLATE ${c.collation}`) })),
    'reverse',
  );

export const quarantineOf = (run: RunId, t: Rebuilt): Relation => inControl('quarantine', run, t.oid);
export const fitsOf = (run: RunId, t: Rebuilt): Relation => inControl('fits', run, t.oid);
export const keyFitsOf = (run: RunId, t: Rebuilt): Relation => inControl('keyfits', run, t.oid);

export const forwardDrain = (run: RunId, t: Rebuilt): Drain => ({
  log: inControl('log', run, t.oid),
  fn: inControl('drain', run, t.oid),
  locks: [t.table, t.shadow],
});
export const reverseDrain = (run: RunId, t: Rebuilt): Drain => ({
  log: inControl('rlog', run, t.oid),
  fn: inControl('rdrain', run, t.oid),
  locks: [t.table, t.old],
});

/** A value in a form in which equal means printed alike: types without equality (json) have it there, and 1.0 is not 1.00. */
const exact = (c: ColumnPlan, value: Sql): Sql => (c.rawHash ? value : glue`(${value})::text COLLATE pg_catalog."C"`);

/** True when the column of the new row `n` still holds what the old row `o` was converted to. */
export const unchanged = (c: ColumnPlan): Sql => glue`${exact(c, c.convert)} IS NOT DISTINCT FROM ${exact(c, glue`n.${ident(c.name)}`)}`;

/** Expression list that identifies a row's content in the new types: from the old row `o` or the new row `n`. Generated columns follow from the others. */
export const contentOf = (t: Rebuilt, side: 'o' | 'n'): Sql =>
  glue`ROW(${join(insertable(t).map((c) => exact(c, side === 'o' ? c.convert : glue`n.${ident(c.name)}`)))})`;
