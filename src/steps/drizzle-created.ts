import { QueryFailed, UserError } from '../errors.js';
import { block, note, warn, type Finding } from '../finding.js';
import { display, newSchema, type Relation, type RunId } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, render, type Sql } from '../pg/render.js';
import { shown, type Statement, type Written } from '../plan/hazards.js';
import type { Migration } from '../plan/migrations.js';
import { dropHome, lockList, underLock } from '../retire/move.js';
import { dependentsOf } from '../retire/tables.js';
import { allMarked, forgetMarker, marked } from './done.js';
import type { ReadContext, StepContext } from './step.js';

/** What a migration creates: decides whether its undo is exact, and is set aside and brought back as a whole (DECISIONS 13, 27, 32). */

/** PostgreSQL cuts identifiers at 63 bytes, drizzle's long key names among them. */
const cut = (name: string): string => {
  let text = name;
  while (Buffer.byteLength(text) > 63) text = Array.from(text).slice(0, -1).join('');
  return text;
};
const cutBoth = (w: Written): Written => ({ schema: w.schema, name: cut(w.name) });
const same = (a: Written | null, b: Written | null): boolean =>
  a !== null && b !== null && a.name === b.name && (a.schema === b.schema || a.schema === null || b.schema === null);

/** Names that the statements create or add; what of it is there is asked of the catalog when it matters. */
export type Creation = {
  readonly tables: readonly Named[];
  readonly others: readonly (Named & { readonly kind: 'type' | 'sequence' | 'view' | 'function' })[];
  /** keys and indexes added to tables that existed before */
  readonly keys: readonly Named[];
  readonly indexes: readonly Named[];
  /** null: exact. Otherwise the statement that an undo could not take back */
  readonly inexact: string | null;
};
type Named = { readonly schema: string | null; readonly name: string };

const kinds = { 'creates-type': 'type', 'creates-sequence': 'sequence', 'creates-view': 'view', 'creates-function': 'function' } as const;

/** Pure. @param existing names of tables that were there before: IF NOT EXISTS does not create those */
export function creationOf(statements: readonly Statement[], existing: readonly Written[] = []): Creation {
  const tables: Named[] = [];
  const others: (Named & { kind: 'type' | 'sequence' | 'view' | 'function' })[] = [];
  const keys: Named[] = [];
  const indexes: Named[] = [];
  let inexact: string | null = null;
  const created = (on: Written | null): boolean => on !== null && tables.some((t) => same(t, cutBoth(on)));
  for (const s of statements) {
    const name = s.name === null ? null : cutBoth(s.name);
    if (s.does === 'creates-table' && name !== null && !existing.some((e) => same(e, name))) tables.push(name);
    else if (s.does in kinds && name !== null) others.push({ ...name, kind: kinds[s.does as keyof typeof kinds] });
    else if (created(s.on)) continue;
    else if (s.does === 'adds-key' && name !== null) keys.push(name);
    else if (s.does === 'adds-index' && name !== null) indexes.push(name);
    else if (s.does !== 'creates-table')
      inexact ??= `${s.what}${s.on === null || s.what.includes(s.on.name) ? '' : ` ${shown(s.on)}`} (${s.at.file}:${String(s.at.line ?? 1)})`;
  }
  return { tables, others, keys, indexes, inexact };
}

export interface Found {
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  readonly kind: 'table' | 'view' | 'sequence' | 'index' | 'type' | 'function' | 'other';
  readonly identity: string;
  readonly arguments: string;
  readonly owned: boolean;
}

/** Schemas in which an unqualified name of a migration may land. */
const schemasOf = (cx: ReadContext, named: readonly Named[]): readonly string[] => [
  ...new Set([...cx.plan.schemas, 'public', ...named.flatMap((n) => (n.schema === null ? [] : [n.schema]))]),
];

/** What is there under the names now. */
export async function foundUnder(cx: ReadContext, named: readonly Named[]): Promise<readonly Found[]> {
  if (named.length === 0) return [];
  const rows = await cx.db.rows<Found>('drizzle/objects', { values: [named.map((n) => n.name), schemasOf(cx, named)] });
  return rows.filter((row) => named.some((n) => n.name === row.name && (n.schema ?? row.schema) === row.schema));
}

interface KeyRow {
  readonly oid: number;
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly table_oid: number;
  readonly type: string;
  readonly definition: string;
  readonly valid: boolean;
  readonly parent_schema: string | null;
  readonly parent: string | null;
  readonly parent_oid: number | null;
  readonly columns: readonly string[];
  readonly parent_columns: readonly string[];
}

/** What of a creation is in the database now, apart from what was there before it. */
export interface There {
  readonly tables: readonly Found[];
  readonly others: readonly Found[];
  readonly indexes: readonly Found[];
  /** keys to drop: all foreign keys from the tables, and those the migration added elsewhere */
  readonly keys: readonly KeyRow[];
  /** foreign keys of other tables to created ones that the migration did not add */
  readonly foreign: readonly KeyRow[];
}

export async function thereOf(cx: ReadContext, creation: Creation, existed: readonly number[]): Promise<There> {
  const of = async (named: readonly Named[], kind: (f: Found) => boolean): Promise<readonly Found[]> =>
    (await foundUnder(cx, named)).filter((f) => kind(f) && !existed.includes(f.oid));
  const tables = await of(creation.tables, (f) => f.kind === 'table');
  const others = await of(creation.others, (f) => creation.others.some((o) => o.kind === f.kind && o.name === f.name) && !f.owned);
  const indexes = await of(creation.indexes, (f) => f.kind === 'index');
  const oids = tables.map((t) => t.oid);
  const rows = await cx.db.rows<KeyRow>('drizzle/keys', { values: [creation.keys.map((k) => k.name), oids, schemasOf(cx, creation.keys)] });
  const fresh = rows.filter((k) => !existed.includes(k.oid));
  const added = (k: KeyRow): boolean => creation.keys.some((c) => c.name === k.name && (c.schema ?? k.schema) === k.schema);
  const own = fresh.filter((k) => (oids.includes(k.table_oid) ? k.type === 'f' : added(k)));
  return { tables, others, indexes, keys: own, foreign: fresh.filter((k) => !oids.includes(k.table_oid) && !added(k)) };
}

/** Oids of everything that has one of the names already: not ours, whatever happens. */
export async function existing(cx: ReadContext, creation: Creation): Promise<readonly number[]> {
  const found = await foundUnder(cx, [...creation.tables, ...creation.others, ...creation.indexes]);
  const keys = await cx.db.rows<KeyRow>('drizzle/keys', { values: [creation.keys.map((k) => k.name), [], schemasOf(cx, creation.keys)] });
  return [...found.map((f) => f.oid), ...keys.map((k) => k.oid)];
}

/** Block findings: what came to depend on the created objects since, which an undo would take from its users. */
export async function usersOf(cx: ReadContext, there: There): Promise<readonly Finding[]> {
  const hint = 'Drop it or move it off the table first; then roll back.';
  const own = new Set(there.others.map((o) => o.identity));
  const keyNames = new Set([...there.keys, ...there.foreign].map((k) => k.name));
  const dependents = await dependentsOf(
    cx.db,
    there.tables.map((t) => t.oid),
  );
  return [
    ...there.foreign.map((k) =>
      block(
        'created-table-in-use',
        `foreign key ${k.name} of ${k.schema}.${k.table} refers to ${k.parent_schema ?? ''}.${k.parent ?? ''}, which the migration created`,
        { object: k.name, hint },
      ),
    ),
    ...dependents
      .filter(
        (d) =>
          d.kind !== 'foreign key' && !d.kind.startsWith('publication') && !own.has(d.identity) && ![...keyNames].some((name) => d.identity.includes(name)),
      )
      .map((d) => block('created-table-in-use', `${d.kind} ${d.identity} depends on a table that the migration created`, { object: d.identity, hint })),
  ];
}

/** Facts of the marker `kept`: what a rollback set aside, and how it comes back. */
export type Kept = {
  readonly migrations: readonly { readonly tag: string; readonly hash: string; readonly when: number }[];
  readonly tables: readonly (Home & { readonly oid: number })[];
  readonly others: readonly (Home & { readonly kind: string; readonly arguments: string })[];
  readonly keys: readonly {
    readonly schema: string;
    readonly table: string;
    readonly name: string;
    readonly definition: string;
    readonly valid: boolean;
    readonly type: string;
    readonly columns: readonly string[];
    readonly parent: { readonly schema: string; readonly name: string } | null;
    readonly parentColumns: readonly string[];
  }[];
  readonly indexes: readonly string[];
};
type Home = { readonly home: string; readonly schema: string; readonly name: string };

const homeOf = (run: RunId, schema: string, schemas: readonly string[]): string => newSchema(run, Math.max(0, schemas.indexOf(schema)));
const sqlKind: Readonly<Record<string, Sql>> = { table: glue`TABLE`, view: glue`VIEW`, sequence: glue`SEQUENCE`, type: glue`TYPE`, function: glue`FUNCTION` };
const kindSql = (kind: string): Sql => sqlKind[kind] ?? glue`TABLE`;
const named = (kind: string, at: Relation, args: string): Sql => (kind === 'function' ? glue`${ident(at)}(${fromCatalog(args)})` : ident(at));

export interface Ledger {
  readonly schema: string;
  readonly table: string;
}
export const ledgerOf = (l: Ledger): Relation => ({ schema: l.schema, name: l.table });

/** What an undo would set aside, for the receipt and for the marker. */
export function keptOf(cx: ReadContext, there: There, migrations: Kept['migrations']): Kept {
  const schemas = [...new Set([...there.tables, ...there.others].map((t) => t.schema))].sort();
  const home = ({ schema, name }: Relation): Home => ({ home: homeOf(cx.run, schema, schemas), schema, name });
  return {
    migrations: migrations.map(({ tag, hash, when }) => ({ tag, hash, when })),
    tables: there.tables.map((t) => ({ ...home(t), oid: t.oid })),
    others: there.others.map((o) => ({ ...home(o), kind: o.kind, arguments: o.arguments })),
    keys: there.keys.map((k) => ({
      schema: k.schema,
      table: k.table,
      name: k.name,
      definition: k.definition,
      valid: k.valid,
      type: k.type,
      columns: k.columns,
      parent: k.parent_schema === null || k.parent === null ? null : { schema: k.parent_schema, name: k.parent },
      parentColumns: k.parent_columns,
    })),
    indexes: [],
  };
}

/**
 * One message within the lock budget: drops the keys, moves what was created into lossless_new_<run>, deletes the ledger rows and
 * replaces the marker. ACCESS EXCLUSIVE on the created tables, on those that keys tie them to, and on the ledger.
 */
export async function setAside(
  cx: StepContext,
  there: There,
  kept: Kept,
  ledger: { readonly at: Ledger; readonly ids: readonly number[]; readonly drop: boolean; readonly dropSchema: boolean },
): Promise<void> {
  const homes = [...new Set([...kept.tables, ...kept.others].map((t) => t.home))];
  for (const schema of homes) {
    const comment = `Lossless: tables that the migrations of run ${cx.run} created and a rollback set aside with their rows. The same migrations bring them back; the cleanup of the run archives and drops them. By hand: DROP SCHEMA ${schema} CASCADE`;
    await cx.db.change('retire/make-schema', { names: { schema }, literals: { comment } });
  }
  const indexes =
    there.indexes.length === 0
      ? []
      : await cx.db.rows<{ definition: string; schema: string; name: string; table_schema: string; table: string }>('drizzle/indexes', {
          values: [there.indexes.map((i) => i.oid)],
        });
  const facts: Kept = { ...kept, indexes: indexes.map((i) => i.definition) };
  const at = ledgerOf(ledger.at);
  const tied = there.keys.flatMap((k): Relation[] => [
    { schema: k.schema, name: k.table },
    ...(k.parent_schema === null || k.parent === null ? [] : [{ schema: k.parent_schema, name: k.parent }]),
  ]);
  const locks = lockList([...kept.tables, ...tied, ...indexes.map((i) => ({ schema: i.table_schema, name: i.table })), at]);
  const statements = [
    ...there.keys.map((k) => glue`ALTER TABLE ${ident({ schema: k.schema, name: k.table })} DROP CONSTRAINT ${ident(k.name)}`),
    ...indexes.map((i) => glue`DROP INDEX ${ident({ schema: i.schema, name: i.name })}`),
    ...kept.others.map((o) => glue`ALTER ${kindSql(o.kind)} ${named(o.kind, o, o.arguments)} SET SCHEMA ${ident(o.home)}`),
    ...kept.tables.map((t) => glue`ALTER TABLE ${ident(t)} SET SCHEMA ${ident(t.home)}`),
    render('drizzle/unwrite-ledger', { names: { ledger: at }, parts: { ids: fromCatalog(`${literal(`{${ledger.ids.join(',')}}`)}::int[]`) } }),
    ...(ledger.drop
      ? [render('drizzle/drop-ledger', { names: { ledger: at, schema: at.schema }, parts: { with_schema: ledger.dropSchema ? glue`true` : glue`false` } })]
      : []),
    replaceMarker(cx, { run: cx.run, step: cx.stepId, from: 'apply', to: 'kept' }, facts),
  ];
  await underLock(
    cx,
    locks,
    render('drizzle/move', { parts: { locks, statements: join(statements, ';\n  ') } }),
    `set aside ${kept.tables.map(display).join(', ') || 'what the migration created'}`,
  );
  for (const t of kept.tables) {
    const { rows } = await cx.db.one<{ rows: number }>('row-guard/count', { names: { table: { schema: t.home, name: t.name } }, parts: { only: glue`` } });
    cx.report({
      type: 'found',
      finding: note('kept-tables', `${display(t)} is kept as ${t.home}.${t.name} with ${String(rows)} rows`, {
        step: cx.stepId,
        object: `${t.home}.${t.name}`,
        count: rows,
      }),
    });
  }
}

const replaceMarker = (
  cx: StepContext,
  m: { readonly run: RunId; readonly step: string; readonly from: 'apply' | 'kept'; readonly to: 'apply' | 'kept' },
  facts: unknown,
): Sql =>
  render('done/replace', {
    literals: { from_run: m.run, from_step: m.step, from: m.from, run: cx.run, step: cx.stepId, to: m.to, facts: JSON.stringify(facts) },
  });

export interface KeptSet {
  readonly run: RunId;
  readonly step: string;
  readonly facts: Kept;
}

/** The newest set that an earlier rollback kept whose migrations are the first of the pending ones. */
export async function keptFor(db: ReadDb, pending: readonly Migration[]): Promise<KeptSet | null> {
  const sets = await allMarked<Kept>(db, 'kept');
  return (
    sets.find(
      (s) => s.facts.migrations.length > 0 && s.facts.migrations.length <= pending.length && s.facts.migrations.every((m, i) => pending[i]?.hash === m.hash),
    ) ?? null
  );
}

/** Whether the kept set can come back: names free, parents there, no row without its parent. Counts name the foreign keys. */
export async function returnFindings(cx: ReadContext, set: KeptSet): Promise<readonly Finding[]> {
  const { tables, keys } = set.facts;
  const findings: Finding[] = [];
  const taken = await foundUnder(cx, tables);
  for (const t of taken.filter((f) => f.kind === 'table')) {
    findings.push(
      block(
        'drizzle-table-exists',
        `${display(t)} exists, and the migration that creates it is pending; its former rows are kept in ${set.facts.tables.find((k) => k.name === t.name)?.home ?? ''}`,
        { object: display(t), hint: 'Retire or rename the table that is in the way.' },
      ),
    );
  }
  const kept = await cx.db.rows<{ oid: number; schema: string; name: string }>('retire/whereabouts', { values: [tables.map((t) => t.oid)] });
  for (const t of tables.filter((k) => !kept.some((w) => w.oid === k.oid && w.schema === k.home))) {
    findings.push(
      block('step-not-there', `${t.home}.${t.name}, kept by the rollback of run ${set.run}, is not there any more`, {
        object: `${t.home}.${t.name}`,
        hint: 'Restore it from the archive or backup, or allow: kept-rows-without-parent to create the tables empty.',
      }),
    );
  }
  if (findings.length > 0) return findings;
  const whereNow = (r: Relation): Relation => {
    const k = tables.find((t) => t.schema === r.schema && t.name === r.name);
    return k === undefined ? r : { schema: k.home, name: k.name };
  };
  for (const key of keys.filter((k) => k.type === 'f' && k.valid && k.parent !== null)) {
    const child = whereNow({ schema: key.schema, name: key.table });
    if (child.schema === key.schema) continue;
    const parent = whereNow(key.parent ?? child);
    const given = join(
      key.columns.map((c) => glue`c.${ident(c)} IS NOT NULL`),
      ' AND ',
    );
    const match = join(
      key.columns.map((c, i) => glue`p.${ident(key.parentColumns[i] ?? '')} = c.${ident(c)}`),
      ' AND ',
    );
    const { rows } = await cx.db.one<{ rows: number }>('drizzle/orphans', { names: { child, parent }, parts: { given, match } });
    if (rows > 0) {
      findings.push(
        block(
          'kept-rows-without-parent',
          `${String(rows)} rows of ${display(child)} refer to rows of ${display(parent)} that are gone since the rollback (${key.name})`,
          {
            object: display(child),
            count: rows,
            hint: `Bring the parents back or delete these rows of ${display(child)}; or allow: kept-rows-without-parent to leave the kept tables aside and create empty ones.`,
          },
        ),
      );
    }
  }
  return findings;
}

/**
 * Brings a kept set back in one message: tables and objects to their names, keys NOT VALID, ledger rows, marker; then validates the keys
 * that were valid. ACCESS EXCLUSIVE as setAside. Errors: UserError when a row lost its parent since preflight.
 */
export async function bringBack(cx: StepContext, set: KeptSet, ledger: Ledger, namedLedger: boolean, facts: unknown, finished: boolean): Promise<void> {
  const { facts: kept } = set;
  const at = ledgerOf(ledger);
  const isKept = (r: Relation): boolean => kept.tables.some((t) => t.schema === r.schema && t.name === r.name);
  const tied = kept.keys.flatMap((k) => [{ schema: k.schema, name: k.table }, ...(k.parent === null ? [] : [k.parent])]).filter((r) => !isKept(r));
  const locks = lockList([...kept.tables.map((t) => ({ schema: t.home, name: t.name })), ...tied, at]);
  const rows = kept.migrations.map((m, no) => ({ ...m, no }));
  const statements = [
    ...kept.others.map((o) => glue`ALTER ${kindSql(o.kind)} ${named(o.kind, { schema: o.home, name: o.name }, o.arguments)} SET SCHEMA ${ident(o.schema)}`),
    ...kept.tables.map((t) => glue`ALTER TABLE ${ident({ schema: t.home, name: t.name })} SET SCHEMA ${ident(t.schema)}`),
    ...kept.keys.map(
      (k) =>
        glue`ALTER TABLE ${ident({ schema: k.schema, name: k.table })} ADD CONSTRAINT ${ident(k.name)} ${fromCatalog(k.type === 'f' && !/ NOT (VALID|ENFORCED)$/.test(k.definition) ? `${k.definition} NOT VALID` : k.definition)}`,
    ),
    ...kept.indexes.map(fromCatalog),
    render('drizzle/write-rows', {
      names: { ledger: at },
      literals: { rows: JSON.stringify(rows) },
      parts: { name_column: namedLedger ? glue`, name` : glue``, name_value: namedLedger ? glue`, x.tag` : glue`` },
    }),
    finished
      ? replaceMarker(cx, { run: set.run, step: set.step, from: 'kept', to: 'apply' }, facts)
      : glue`DELETE FROM lossless.done WHERE run = ${literal(set.run)} AND step = ${literal(set.step)} AND what = 'kept'`,
  ];
  await underLock(
    cx,
    locks,
    render('drizzle/move', { parts: { locks, statements: join(statements, ';\n  ') } }),
    `bring back ${kept.tables.map(display).join(', ')}`,
  );
  for (const t of kept.tables) {
    const { rows: count } = await cx.db.one<{ rows: number }>('row-guard/count', { names: { table: t }, parts: { only: glue`` } });
    cx.report({
      type: 'found',
      finding: note('kept-tables', `${display(t)} is back from ${t.home} with ${String(count)} rows`, { step: cx.stepId, object: display(t), count }),
    });
  }
  await validateKeys(cx, kept);
  for (const home of new Set([...kept.tables, ...kept.others].map((t) => t.home))) await dropHome(cx.db, home);
}

/** Validates foreign keys that came back NOT VALID; SHARE UPDATE EXCLUSIVE, repeatable. */
export async function validateKeys(cx: StepContext, kept: Kept): Promise<void> {
  for (const k of kept.keys.filter((key) => key.type === 'f' && key.valid)) {
    try {
      await cx.db.change('retire/validate', { names: { table: { schema: k.schema, name: k.table }, key: k.name } });
    } catch (error) {
      if (!(error instanceof QueryFailed) || error.sqlstate !== '23503') throw error;
      throw new UserError(`rows of ${k.schema}.${k.table} lost their parent while they were kept: foreign key ${k.name} cannot be validated`, {
        hint: 'Roll back: the tables are set aside again with their rows. Bring the parents back, then migrate again.',
        cause: error,
      });
    }
  }
}

/** Drops what a rollback of this step kept, when it is still aside. Repeatable. */
export async function dropKept(cx: StepContext): Promise<void> {
  const kept = await marked<Kept>(cx.db, cx.run, cx.stepId, 'kept');
  if (kept === null) return;
  const order = ['view', 'function', 'table', 'sequence', 'type'];
  const all = [...kept.tables.map((t) => ({ ...t, kind: 'table', arguments: '' })), ...kept.others].sort(
    (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind),
  );
  for (const o of all) {
    const at = { schema: o.home, name: o.name };
    await (o.kind === 'table'
      ? cx.db.change('drizzle/drop-table', { names: { table: at } })
      : cx.db.change('drizzle/drop-object', { parts: { kind: kindSql(o.kind), identity: named(o.kind, at, o.arguments) } }));
  }
  for (const home of new Set(all.map((o) => o.home))) await dropHome(cx.db, home);
  await forgetMarker(cx.db, cx.run, cx.stepId, 'kept');
}

/** For people and the gate: why the undo is none, or that kept tables come back. */
export const inexactFinding = (creation: Creation): Finding =>
  warn('undo-none', `the migration cannot be undone exactly: ${creation.inexact ?? ''} changes what existed before`, {
    hint: 'A rollback needs allow: keep-<step-id>, or the backup. Put creations and changes into different plans to be able to take the creations back.',
  });
