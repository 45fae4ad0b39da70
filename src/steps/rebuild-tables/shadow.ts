import { UserError, QueryFailed } from '../../errors.js';
import { newSchema, oldSchema, display, type Relation, type RunId } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, literal, type Sql } from '../../pg/render.js';
import { collatable, type Group, type Rebuilt, type Source } from './design.js';
import { readShape, type Grant, type Shape, type ShapeColumn, type ShapeSequence } from './shape.js';

/** The table that is being built: everything of the old one under its own names, in a schema of the run. */

const sql = fromCatalog;

/** Schemas of the run, one pair per source schema; other steps of the run use the same. */
export async function createSchemas(db: Db, run: RunId, group: Group): Promise<void> {
  const pairs = new Map(group.tables.map((t) => [t.shadow.schema, t.old.schema] as const));
  const about = (what: string): string => `Lossless run ${run}: ${what} Removed by the rollback or cleanup phase of the run (docs/troubleshooting.md).`;
  for (const [next, old] of pairs)
    await db.change('rebuild-tables/create-schemas', {
      names: { new: next, old },
      literals: { new_about: about('tables that are being built.'), old_about: about('tables that were replaced, kept until the retention ends.') },
    });
}

export const runSchemas = (run: RunId, group: Group): readonly string[] => {
  const n = Math.max(1, new Set(group.tables.map((t) => t.table.schema)).size);
  return Array.from({ length: n }, (_, i) => [newSchema(run, i), oldSchema(run, i)]).flat();
};

const options = (list: readonly string[] | null, prefix = ''): readonly Sql[] =>
  (list ?? []).map((o) => {
    const at = o.indexOf('=');
    return glue`${sql(prefix)}${ident(o.slice(0, at))} = ${literal(o.slice(at + 1))}`;
  });
const tuned = (shape: Shape): boolean => (shape.options ?? []).some((o) => o.startsWith('autovacuum_enabled='));

function identity(t: Rebuilt, s: ShapeSequence, kind: string): Sql {
  const limits: Readonly<Record<string, string>> = { smallint: '32767', integer: '2147483647', bigint: '9223372036854775807' };
  const max = s.max === limits[s.type] ? sql('') : glue` MAXVALUE ${sql(s.max)}`;
  return glue`GENERATED ${sql(kind === 'a' ? 'ALWAYS' : 'BY DEFAULT')} AS IDENTITY (SEQUENCE NAME ${ident({ schema: t.shadow.schema, name: s.name })} START WITH ${sql(s.start)} INCREMENT BY ${sql(s.increment)} MINVALUE ${sql(s.min)}${max} CACHE ${sql(s.cache)} ${sql(s.cycle ? 'CYCLE' : 'NO CYCLE')})`;
}

const integers = ['smallint', 'integer', 'bigint'];

/** A default whose column changes its type follows by a cast, unless both are integers (nextval stays as it is). */
function defaultOf(c: ShapeColumn, t: Rebuilt, source: Source): Sql | null {
  const wanted = source.spec.columns[c.name]?.default;
  if (wanted !== undefined) return wanted === null ? null : sql(String(wanted));
  if (c.default === null || c.identity !== '') return null;
  const type = t.columns.find((x) => x.name === c.name)?.newType ?? c.type;
  return type === c.type || (integers.includes(type) && integers.includes(c.type)) ? sql(c.default) : glue`CAST((${sql(c.default)}) AS ${sql(type)})`;
}

function columnDefinition(c: ShapeColumn, t: Rebuilt, source: Source): Sql {
  const planned = t.columns.find((x) => x.name === c.name);
  const type = planned?.newType ?? c.type;
  const parts: Sql[] = [ident(c.name), sql(type)];
  if (c.collation !== null && collatable(type)) parts.push(glue`COLLATE ${sql(c.collation)}`);
  if (c.generated !== null) parts.push(glue`GENERATED ALWAYS AS (${sql(c.generated)}) ${sql(c.generatedKind === 'v' ? 'VIRTUAL' : 'STORED')}`);
  const value = defaultOf(c, t, source);
  if (value !== null) parts.push(glue`DEFAULT ${value}`);
  const named = source.shape.notNulls.some((n) => n.columns.includes(c.name));
  if ((planned?.notNull ?? c.notNull) && !named) parts.push(sql('NOT NULL'));
  const sequence = source.shape.sequences.find((s) => s.kind === 'identity' && s.column === c.name);
  if (sequence !== undefined) parts.push(identity(t, sequence, c.identity));
  return join(parts, ' ');
}

/** Creates the shadow without indexes, keys and triggers; checks guard the copy. Errors: UserError when a definition does not fit the new types; nothing of the application was touched. */
export async function createShadow(db: Db, t: Rebuilt, source: Source): Promise<void> {
  const { shape } = source;
  const shadow = ident(t.shadow);
  const stillNotNull = (names: readonly string[]): boolean => names.every((n) => t.columns.find((c) => c.name === n)?.notNull === true);
  const body = [
    ...shape.columns.map((c) => columnDefinition(c, t, source)),
    ...shape.constraints.filter((k) => k.type === 'c' && k.validated).map((k) => glue`CONSTRAINT ${ident(k.name)} ${sql(k.definition)}`),
    ...shape.notNulls.filter((k) => stillNotNull(k.columns)).map((k) => glue`CONSTRAINT ${ident(k.name)} ${sql(k.definition)}`),
  ];
  const wanted = [...options(shape.options), ...options(shape.toastOptions, 'toast.'), ...(tuned(shape) ? [] : [sql('autovacuum_enabled = false')])];
  const statements: Sql[] = [
    glue`CREATE TABLE ${shadow} (${join(body)}) USING ${ident(shape.accessMethod ?? 'heap')} WITH (${join(wanted)})`,
    glue`COMMENT ON TABLE ${shadow} IS ${literal(shape.comment ?? '')}`,
  ];
  for (const c of shape.columns) {
    const id = ident(c.name);
    const type = t.columns.find((x) => x.name === c.name);
    if (c.storage !== null && type?.newType === type?.oldType)
      statements.push(
        glue`ALTER TABLE ${shadow} ALTER COLUMN ${id} SET STORAGE ${sql({ p: 'PLAIN', e: 'EXTERNAL', m: 'MAIN', x: 'EXTENDED' }[c.storage] ?? 'EXTENDED')}`,
      );
    if (c.compression !== '') statements.push(glue`ALTER TABLE ${shadow} ALTER COLUMN ${id} SET COMPRESSION ${sql(c.compression === 'l' ? 'lz4' : 'pglz')}`);
    if (c.statistics !== null) statements.push(glue`ALTER TABLE ${shadow} ALTER COLUMN ${id} SET STATISTICS ${sql(String(c.statistics))}`);
    if ((c.options ?? []).length > 0) statements.push(glue`ALTER TABLE ${shadow} ALTER COLUMN ${id} SET (${join(options(c.options))})`);
    if (c.comment !== null) statements.push(glue`COMMENT ON COLUMN ${shadow}.${id} IS ${literal(c.comment)}`);
  }
  for (const k of [...shape.constraints.filter((x) => x.type === 'c' && x.validated), ...shape.notNulls.filter((x) => stillNotNull(x.columns))])
    if (k.comment !== null) statements.push(glue`COMMENT ON CONSTRAINT ${ident(k.name)} ON ${shadow} IS ${literal(k.comment)}`);
  for (const s of shape.sequences.filter((x) => x.kind === 'identity'))
    if (s.comment !== null) statements.push(glue`COMMENT ON SEQUENCE ${ident({ schema: t.shadow.schema, name: s.name })} IS ${literal(s.comment)}`);
  try {
    await db.message(statements, { about: 'rebuild-tables/create-shadow' });
  } catch (error) {
    if (!(error instanceof QueryFailed && error.sqlstate.startsWith('42'))) throw error;
    throw new UserError(`${display(t.table)} cannot be built with the new types: ${error.message}`, {
      hint: 'A check, a default or a generated column depends on a column that is converted. Change it first by a sql step, or restate its default in the plan.',
      cause: error,
    });
  }
}

/** An index to build, and what follows from it. */
export interface IndexJob {
  readonly table: Rebuilt;
  readonly name: string;
  readonly create: Sql;
  /** of the old index, as a guess of the work */
  readonly bytes: number;
  /** constraint, comment, marks */
  readonly after: readonly Sql[];
}

/** Every index of the finished table, the largest first. */
export function indexJobs(group: Group, sources: readonly Source[]): readonly IndexJob[] {
  return group.tables.flatMap((t, i) => (sources[i] === undefined ? [] : indexesOf(t, sources[i]))).sort((a, b) => b.bytes - a.bytes);
}

function indexesOf(t: Rebuilt, source: Source): readonly IndexJob[] {
  const { shape, spec } = source;
  const shadow = ident(t.shadow);
  const inNew = (name: string): Sql => ident({ schema: t.shadow.schema, name });
  const jobs: IndexJob[] = [];
  for (const x of shape.indexes) {
    if (spec.indexes[x.name] !== undefined || spec.unique[x.name] !== undefined) continue;
    const constraint = shape.constraints.find((k) => k.name === x.constraint);
    const after: Sql[] = [];
    const timing = constraint?.deferrable === true ? sql(` DEFERRABLE${constraint.deferred ? ' INITIALLY DEFERRED' : ''}`) : sql('');
    if (constraint !== undefined && constraint.type !== 'x') {
      after.push(
        glue`ALTER TABLE ${shadow} ADD CONSTRAINT ${ident(constraint.name)} ${sql(constraint.type === 'p' ? 'PRIMARY KEY' : 'UNIQUE')} USING INDEX ${ident(x.name)}${timing}`,
      );
    }
    if (constraint?.comment != null) after.push(glue`COMMENT ON CONSTRAINT ${ident(constraint.name)} ON ${shadow} IS ${literal(constraint.comment)}`);
    if (x.comment !== null) after.push(glue`COMMENT ON INDEX ${inNew(x.name)} IS ${literal(x.comment)}`);
    if (x.clustered) after.push(glue`ALTER TABLE ${shadow} CLUSTER ON ${ident(x.name)}`);
    if (x.replicaIdentity) after.push(glue`ALTER TABLE ${shadow} REPLICA IDENTITY USING INDEX ${ident(x.name)}`);
    const create =
      constraint?.type === 'x'
        ? glue`ALTER TABLE ${shadow} ADD CONSTRAINT ${ident(constraint.name)} ${sql(constraint.definition)}`
        : glue`CREATE ${sql(x.unique ? 'UNIQUE ' : '')}INDEX ${ident(x.name)} ON ${shadow} ${sql(x.rest ?? '')}`;
    jobs.push({ table: t, name: x.name, create, bytes: x.bytes, after });
  }
  for (const [name, wanted] of Object.entries(spec.indexes)) {
    const what = wanted.columns === undefined ? sql(wanted.expression ?? '') : join(wanted.columns.map((c) => ident(c)));
    const where = wanted.where === undefined ? sql('') : glue` WHERE ${sql(wanted.where)}`;
    const comment = shape.indexes.find((x) => x.name === name)?.comment ?? null;
    jobs.push({
      table: t,
      name,
      create: glue`CREATE INDEX ${ident(name)} ON ${shadow} USING ${ident(wanted.method ?? 'btree')} (${what})${where}`,
      bytes: shape.bytes / 4,
      after: comment === null ? [] : [glue`COMMENT ON INDEX ${inNew(name)} IS ${literal(comment)}`],
    });
  }
  for (const [name, wanted] of Object.entries(spec.unique)) {
    jobs.push({
      table: t,
      name,
      create: glue`CREATE UNIQUE INDEX ${ident(name)} ON ${shadow} (${join(wanted.columns.map((c) => ident(c)))})`,
      bytes: shape.bytes / 4,
      after: [glue`ALTER TABLE ${shadow} ADD CONSTRAINT ${ident(name)} UNIQUE USING INDEX ${ident(name)}`],
    });
  }
  return jobs;
}

/** Check constraints that are not validated: they would refuse rows that the old table has, so they come with the swap. */
export const lateChecks = (t: Rebuilt, source: Source): readonly Sql[] =>
  source.shape.constraints
    .filter((k) => k.type === 'c' && !k.validated)
    .flatMap((k) => [
      glue`ALTER TABLE ${ident(t.table)} ADD CONSTRAINT ${ident(k.name)} ${sql(k.definition)}`,
      ...(k.comment === null ? [] : [glue`COMMENT ON CONSTRAINT ${ident(k.name)} ON ${ident(t.table)} IS ${literal(k.comment)}`]),
    ]);

const grantee = (g: Grant): Sql => (g.grantee === null ? sql('PUBLIC') : ident(g.grantee));
const grants = (kind: Sql, object: Relation, list: readonly Grant[]): readonly Sql[] =>
  list.map(
    (g) =>
      glue`GRANT ${sql(g.privilege)}${g.column === null ? sql('') : glue` (${ident(g.column)})`} ON ${kind} ${ident(object)} TO ${grantee(g)}${sql(g.grantable ? ' WITH GRANT OPTION' : '')}`,
  );
/** What default privileges of somebody gave to an object that we created goes first. */
const revokes = (kind: Sql, object: Relation, list: readonly Grant[], except: string | null): readonly Sql[] =>
  [...new Set(list.filter((g) => g.grantee === null || g.grantee !== except).map(grantee))].map(
    (who) => glue`REVOKE ALL ON ${kind} ${ident(object)} FROM ${who}`,
  );

/** Owner, grants, marks; everything that needs the finished table. */
export async function finishShadow(db: Db, t: Rebuilt, source: Source): Promise<void> {
  const { shape } = source;
  const made = await readShape(db, t.shadow);
  if (made === null) return;
  const statements: Sql[] = [
    ...revokes(sql('TABLE'), t.shadow, made.grants, shape.acl === null ? made.owner : null),
    ...grants(sql('TABLE'), t.shadow, shape.grants),
  ];
  for (const s of shape.sequences.filter((x) => x.kind === 'identity')) {
    const now = made.sequences.find((x) => x.name === s.name);
    const sequence = { schema: t.shadow.schema, name: s.name };
    statements.push(
      ...revokes(sql('SEQUENCE'), sequence, now?.grants ?? [], s.acl === null ? made.owner : null),
      ...grants(sql('SEQUENCE'), sequence, s.grants),
    );
  }
  if (!tuned(shape)) statements.push(glue`ALTER TABLE ${ident(t.shadow)} RESET (autovacuum_enabled)`);
  if (shape.replicaIdentity === 'f') statements.push(glue`ALTER TABLE ${ident(t.shadow)} REPLICA IDENTITY FULL`);
  if (shape.replicaIdentity === 'n') statements.push(glue`ALTER TABLE ${ident(t.shadow)} REPLICA IDENTITY NOTHING`);
  if (shape.owner !== made.owner)
    statements.push(
      glue`GRANT USAGE, CREATE ON SCHEMA ${ident(t.shadow.schema)} TO ${ident(shape.owner)}`,
      glue`ALTER TABLE ${ident(t.shadow)} OWNER TO ${ident(shape.owner)}`,
    );
  await db.message([sql('BEGIN'), ...statements, sql('COMMIT')], { about: 'rebuild-tables/finish-shadow' });
}
