import { z } from 'zod';
import { block, warn, type Finding } from '../finding.js';
import { display, isOurs, type Relation, type RunId } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog, literal, type Sql } from '../pg/render.js';
import { relation, type PlanFrame } from '../plan/plan.js';

/** A table as a plan writes it: `table`, `schema.table`, or `[schema, table]` when a name holds a dot. */
export const writtenTable = z.union([z.string().min(1), z.tuple([z.string().min(1), z.string().min(1)])], {
  error: 'expected a table name, schema.table, or [schema, table] when a name holds a dot',
});
export type WrittenTable = z.infer<typeof writtenTable>;

/** The relations of a list, in its order, each once. */
export function relationsOf(written: readonly WrittenTable[], plan: PlanFrame): readonly Relation[] {
  const all = written.map((w) => relation(w, plan));
  return all.filter((r, i) => all.findIndex((o) => display(o) === display(r)) === i);
}

/** What the catalogs say of a relation that a plan names. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly oid: number;
  /** pg_class.relkind */
  readonly kind: string;
  readonly persistence: string;
  readonly owned: boolean;
  readonly owner: string;
  /** whether SET SCHEMA could bring it back: CREATE on its schema */
  readonly may_return: boolean;
  /** FORCE ROW LEVEL SECURITY hides rows from us */
  readonly hidden: boolean;
  readonly inherits: boolean;
  readonly typed: boolean;
  readonly extension: string | null;
  readonly subscribed: boolean;
  readonly publications: readonly string[];
  readonly statistics: readonly Relation[];
}

/** One entry per relation, in order; null where nothing of that name exists. Locks nothing. */
export async function tableFacts(db: ReadDb, tables: readonly Relation[]): Promise<readonly (TableFacts | null)[]> {
  if (tables.length === 0) return [];
  const rows = await db.rows<Omit<TableFacts, 'oid'> & { oid: number | null }>('retire/facts', {
    values: [tables.map((t) => t.schema), tables.map((t) => t.name)],
  });
  return rows.map((r) => (r.oid === null ? null : { ...r, oid: r.oid }));
}

/** An object outside a set of tables that depends on one of them. */
export interface Dependent {
  /** the table it depends on */
  readonly oid: number;
  /** view, materialized view, rule, foreign key, policy, function, publication relation, default value … */
  readonly kind: string;
  /** quoted as SQL writes it */
  readonly identity: string;
  readonly schema: string | null;
}

/** `'{1,2}'::oid[]`, for statements that cannot take values. */
export const oidList = (oids: readonly number[]): Sql => fromCatalog(`${literal(`{${oids.join(',')}}`)}::oid[]`);

/** Everything outside the tables that depends on them; objects in our own schemas do not count. Locks nothing. */
export async function dependentsOf(db: ReadDb, oids: readonly number[]): Promise<readonly Dependent[]> {
  if (oids.length === 0) return [];
  const rows = await db.rows<Dependent>('retire/dependents', { parts: { oids: oidList(oids) } });
  return rows.filter((d) => d.schema === null || !isOurs(d.schema));
}

export interface ForeignKey {
  /** oid of the referencing table */
  readonly oid: number;
  readonly name: string;
  /** pg_get_constraintdef, with NOT VALID when it is not valid */
  readonly definition: string;
  readonly valid: boolean;
  readonly comment: string | null;
  readonly parent: Relation;
  readonly parent_oid: number;
  /** whether we may make it again (REFERENCES on the parent) */
  readonly referenceable: boolean;
  /** whether LOCK TABLE on the parent is allowed */
  readonly lockable: boolean;
}

/** Foreign keys from the tables, in name order. Locks nothing. */
export async function foreignKeysFrom(db: ReadDb, oids: readonly number[]): Promise<readonly ForeignKey[]> {
  return oids.length === 0 ? [] : db.rows<ForeignKey>('retire/foreign-keys', { values: [oids] });
}

/** Exact rows; takes ACCESS SHARE, and does not count as a scan in the statistics. */
export async function rowsIn(db: ReadDb, table: Relation): Promise<number> {
  return (await db.one<{ rows: number }>('retire/rows', { names: { table } })).rows;
}

export interface TableUse {
  readonly oid: number;
  readonly scans: number;
  /** time of the last scan, from PostgreSQL 16 on */
  readonly last: string | null;
  readonly reset: string | null;
}
export async function useOf(db: ReadDb, oids: readonly number[]): Promise<readonly TableUse[]> {
  return oids.length === 0 ? [] : db.rows<TableUse>('retire/use', { values: [oids] });
}

/** The run whose journal says that it retired this table, or this whole schema, and did not bring it back; null when nothing proves it (DECISIONS 15). */
export async function retiredBy(db: ReadDb, what: Relation | { readonly namespace: string }): Promise<RunId | null> {
  const journal = await db.one<{ found: boolean }>('journal/exists');
  if (!journal.found) return null;
  const rows = await db.rows<{ run: RunId }>('retire/proven', { values: [JSON.stringify([what])] });
  return rows[0]?.run ?? null;
}

/** POSIX pattern for a name as a whole word, as PostgreSQL's `~*` and our scanner understand it. */
export const wholeWord = (name: string): string => `(^|[^[:alnum:]_$-])${name.replace(/[^\p{L}\p{N}_]/gu, '\\$&')}($|[^[:alnum:]_$-])`;

/** Functions with the name in their text: PostgreSQL does not track those, so they are warned about. */
export async function functionsNaming(db: ReadDb, name: string): Promise<readonly string[]> {
  return (await db.rows<{ function: string }>('retire/function-mentions', { values: [wholeWord(name)] })).map((r) => r.function);
}

const kinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  p: 'a partitioned table',
  S: 'a sequence',
  i: 'an index',
  I: 'an index',
  c: 'a composite type',
};

/** Findings that keep a table where it is, apart from its dependents: kind, owner, membership, partitions. */
export function cannotMove(t: TableFacts, user: string): readonly Finding[] {
  const object = display(t);
  const findings: Finding[] = [];
  const refuse = (message: string, hint: string): void => void findings.push(block('table-cannot-move', `${object} ${message}`, { object, hint }));
  if (t.kind !== 'r')
    refuse(`is ${kinds[t.kind] ?? 'no table'}, expected an ordinary table`, 'Name ordinary tables only; retire the others with a `sql` step.');
  if (t.persistence === 't') refuse('is a temporary table', 'It goes away with its session.');
  if (t.inherits) refuse('is a partition, an inheritance parent or an inheritance child', 'Detach it first (ALTER TABLE … DETACH PARTITION or NO INHERIT).');
  if (t.typed) refuse('is a typed table (CREATE TABLE … OF)', 'ALTER TABLE … NOT OF first.');
  if (t.extension !== null) refuse(`belongs to the extension ${t.extension}`, 'Drop it with the extension.');
  if (t.subscribed) refuse('is the target of a subscription', 'Remove it from the publication and refresh the subscription first.');
  if (t.publications.length > 0) refuse(`is published by ${t.publications.join(', ')}`, 'ALTER PUBLICATION … DROP TABLE first, and tell the subscribers.');
  if (!t.owned)
    findings.push(block('not-owner', `${object} belongs to ${t.owner}, not to ${user}`, { object, hint: `Connect as ${t.owner} or as a member of it.` }));
  else if (!t.may_return)
    findings.push(
      block('not-owner', `${user} may not create in schema ${t.schema}, so ${object} could not be brought back`, {
        object,
        hint: `GRANT CREATE ON SCHEMA ${t.schema} TO ${user}.`,
      }),
    );
  if (t.hidden) refuse('has FORCE ROW LEVEL SECURITY, which hides rows from this role', 'Use a role with BYPASSRLS.');
  return findings;
}

/** One block finding per dependent, naming it. */
export function dependentFindings(dependents: readonly Dependent[], nameOf: (oid: number) => string): readonly Finding[] {
  return dependents
    .filter((d) => !d.kind.startsWith('publication'))
    .map((d) =>
      d.kind === 'foreign key'
        ? block('referenced-from-outside', `${nameOf(d.oid)} is referenced by the foreign key ${d.identity}`, {
            object: d.identity,
            hint: 'Retire the referencing table in the same step, or drop the key with a `sql` step before this one.',
          })
        : block('has-dependents', `${nameOf(d.oid)} is used by ${d.kind} ${d.identity}`, {
            object: d.identity,
            hint: 'Change or drop it with a `sql` step before this one.',
          }),
    );
}

/** Block findings for parents that could not be locked now or referenced again in an undo. */
export function parentFindings(keys: readonly ForeignKey[], user: string): readonly Finding[] {
  return keys
    .filter((k) => !k.lockable || !k.referenceable)
    .map((k) =>
      block(
        'not-owner',
        `foreign key ${k.name} refers to ${display(k.parent)}, which ${user} may not ${k.lockable ? 'reference' : 'lock'}, so the key could not be dropped and made again`,
        {
          object: k.name,
          hint: `GRANT REFERENCES, UPDATE ON ${display(k.parent)} TO ${user}.`,
        },
      ),
    );
}

/** Warn findings for functions that mention one of the tables in their text. */
export async function mentionWarnings(db: ReadDb, names: readonly string[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const name of names) {
    for (const f of await functionsNaming(db, name)) {
      findings.push(
        warn('mentioned-in-function', `the text of function ${f} mentions ${name}`, {
          object: f,
          hint: 'PostgreSQL does not track names inside a function body: check that nothing calls it, or change it.',
        }),
      );
    }
  }
  return findings;
}
