import { QueryFailed } from '../../errors.js';
import { block, type Finding } from '../../finding.js';
import { display, type Relation } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { fromPlan, glue, ident, join } from '../../pg/render.js';
import { inside, nodes, parseSql, text, walk } from '../../plan/sql-text.js';
import { cannotMove, dependentFindings, dependentsOf, tableFacts } from '../../retire/tables.js';
import { relation, type PlanFrame } from '../../plan/plan.js';
import type { MergeTable } from './spec.js';

/** How a value is compared so that equal means printed alike (as src/proof/contents.ts does). */
export type Exact = 'plain' | 'bpchar' | 'money' | 'text';

export type Mapped = {
  readonly target: string;
  /** of the target, with modifier */
  readonly type: string;
  readonly collation: string | null;
  readonly exact: Exact;
  readonly expression: string;
  /** the source column, when the expression is nothing else */
  readonly plain: string | null;
  readonly required: boolean;
  /** characters that fit */
  readonly length: number | null;
  /** sequence that feeds the target, quoted */
  readonly sequence: string | null;
  readonly always: boolean;
};

export type Reference = {
  readonly name: string;
  readonly definition: string;
  readonly valid: boolean;
  readonly comment: string | null;
  readonly child: { readonly schema: string; readonly name: string };
  readonly child_oid: number;
  readonly parent: { readonly schema: string; readonly name: string };
  readonly columns: readonly string[];
  readonly parent_columns: readonly string[];
};

/** A merge as it was read from plan and catalogs; kept in the receipt, so that an undo does not depend on what the catalogs say later. */
export type Merge = {
  readonly from: { readonly schema: string; readonly name: string; readonly oid: number };
  readonly into: { readonly schema: string; readonly name: string; readonly oid: number };
  /** key columns first, in the order of the plan */
  readonly mapped: readonly Mapped[];
  readonly keys: number;
  /** types of the source's key columns, in the same order */
  readonly sourceTypes: readonly string[];
  readonly all: readonly { readonly name: string; readonly exact: Exact }[];
  /** columns of the target that an undo cannot carry back */
  readonly rest: readonly string[];
  readonly back: readonly { readonly source: string; readonly expression: string }[];
  readonly parents: readonly Reference[];
  /** other unique keys of the target, all of whose columns are mapped */
  readonly uniques: readonly (readonly string[])[];
  /** keys of other tables that led to the target before */
  readonly referrers: readonly Reference[];
  /** keys to the source, and their definition once they lead to the target */
  readonly repointed: readonly (Reference & { readonly becomes: string })[];
  readonly conflicts: 'fail' | 'quarantine';
};

interface Column {
  readonly oid: number;
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly collation: string | null;
  readonly filled: boolean;
  readonly generated: boolean;
  readonly always: boolean;
  readonly length: number | null;
  readonly exact: Exact;
  readonly sequence: string | null;
}
interface CatalogReference extends Reference {
  readonly parent_oid: number;
  readonly partitioned: boolean;
  readonly owned: boolean;
  readonly types: readonly string[];
  readonly words: string;
}

export const referencesOf = (db: ReadDb, oid: number): Promise<readonly CatalogReference[]> =>
  db.rows<CatalogReference>('merge-table/references', { values: [[oid]] });

/** Column names that an expression reads; null when it is no single expression over columns of one table. */
export async function columnsIn(expression: string): Promise<readonly string[] | null> {
  const parsed = await parseSql(`SELECT ${expression}`, 'expression');
  const [only] = parsed.statements;
  if (
    parsed.fault !== null ||
    parsed.statements.length !== 1 ||
    only?.kind !== 'SelectStmt' ||
    nodes(only.node['targetList']).length !== 1 ||
    only.node['fromClause'] !== undefined
  )
    return null;
  const found: string[] = [];
  const compound: string[] = [];
  walk(only.node, (kind, node) => {
    if (kind === 'SelectStmt' || kind === 'SubLink') compound.push(kind);
    if (kind !== 'ColumnRef') return;
    const fields = nodes(node['fields']);
    const name = text(inside(fields[0], 'String')?.['sval']);
    if (fields.length !== 1 || name === '') compound.push(kind);
    found.push(name);
  });
  return compound.length === 0 ? [...new Set(found)] : null;
}

/** Everything wrong with the merge at once, and the merge when nothing is. Reads only; locks nothing. */
export async function design(db: ReadDb, spec: MergeTable, plan: PlanFrame): Promise<{ readonly findings: readonly Finding[]; readonly merge: Merge | null }> {
  const [fromName, intoName] = [relation(spec.from, plan), relation(spec.into, plan)];
  const findings: Finding[] = [];
  const refuse = (code: Finding['code'], message: string, object: string, hint: string): void => void findings.push(block(code, message, { object, hint }));
  const [from, into] = await tableFacts(db, [fromName, intoName]);
  const user = db.target.user;
  if (from == null)
    refuse('table-not-found', `${display(fromName)} does not exist`, display(fromName), 'Correct the name (case matters), or take the step out of the plan.');
  if (into == null)
    refuse('table-not-found', `${display(intoName)} does not exist`, display(intoName), 'Correct the name (case matters); merge-table makes no tables.');
  if (from == null || into == null) return { findings, merge: null };
  if (from.oid === into.oid) refuse('merge-column-invalid', `${display(from)} cannot be merged into itself`, display(from), 'Name two tables.');
  findings.push(...cannotMove(from, user), ...cannotMove({ ...into, publications: [], may_return: true }, user));
  if (from.kind !== 'r' || into.kind !== 'r' || from.oid === into.oid) return { findings, merge: null };

  const columns = await db.rows<Column>('merge-table/columns', { values: [[from.oid, into.oid]] });
  const sources = new Map(columns.filter((c) => c.oid === from.oid).map((c) => [c.name, c]));
  const targets = new Map(columns.filter((c) => c.oid === into.oid).map((c) => [c.name, c]));
  const where = (c: string, t: Relation): string => `${display(t)}.${c}`;

  const used = new Set<string>();
  const mapped: Mapped[] = [];
  const map = async (target: string, expression: string): Promise<void> => {
    const column = targets.get(target);
    if (column === undefined) {
      refuse(
        'merge-column-invalid',
        `columns: ${display(into)} has no column ${target}`,
        where(target, into),
        'Write the column of the target on the left, the expression over the source on the right.',
      );
      return;
    }
    if (column.generated) {
      refuse(
        'merge-column-invalid',
        `${where(target, into)} is generated and takes no values`,
        where(target, into),
        'Leave it out of columns; put a source column of the same name into ignore.',
      );
      return;
    }
    const reads = await columnsIn(expression);
    if (reads === null) {
      refuse(
        'merge-column-invalid',
        `columns.${target}: "${expression}" is not one expression over columns of ${display(from)}`,
        where(target, into),
        'Write an expression without sub-queries; quote mixed-case names as "userId".',
      );
      return;
    }
    for (const name of reads) {
      if (!sources.has(name))
        refuse(
          'merge-column-invalid',
          `columns.${target} reads ${name}, which ${display(from)} does not have`,
          where(name, from),
          'Names are case-sensitive: quote them as "userId" inside the expression.',
        );
      used.add(name);
    }
    const [first] = reads;
    const plain = reads.length === 1 && first !== undefined && (expression === ident(first) || expression === first) ? first : null;
    const { type, collation, exact, required, length, sequence, always } = column;
    mapped.push({ target, type, collation, exact, expression, plain, required, length, sequence, always });
  };
  for (const [target, expression] of Object.entries(spec.columns)) await map(target, expression);
  for (const name of sources.keys()) {
    if (spec.ignore.includes(name)) used.add(name);
    else if (targets.has(name) && !(name in spec.columns)) await map(name, ident(name));
  }
  for (const name of spec.ignore)
    if (!sources.has(name)) refuse('merge-column-invalid', `ignore: ${display(from)} has no column ${name}`, where(name, from), 'Take it out of ignore.');
  for (const name of sources.keys()) {
    if (!used.has(name))
      refuse(
        'merge-column-unmapped',
        `${where(name, from)} goes nowhere: it is neither mapped, nor is there a column of that name in ${display(into)}, nor is it in ignore`,
        where(name, from),
        `Add it to columns, or say that it may stay behind: ignore: [${name}].`,
      );
  }
  for (const t of targets.values()) {
    if (t.required && !t.filled && !t.generated && !mapped.some((m) => m.target === t.name))
      refuse(
        'merge-column-invalid',
        `${where(t.name, into)} is NOT NULL, has no default, and nothing is mapped to it`,
        where(t.name, into),
        'Add an expression for it to columns.',
      );
  }

  const key = spec.key.map((name) => mapped.find((m) => m.target === name));
  for (const [i, m] of key.entries()) {
    const name = spec.key[i] ?? '';
    if (m === undefined && targets.has(name))
      refuse('merge-key-invalid', `key column ${where(name, into)} is not mapped`, where(name, into), 'A key must come from a plain column of the source.');
    else if (m === undefined) refuse('merge-key-invalid', `${display(into)} has no column ${name}`, where(name, into), 'Name columns of the target in key.');
    else if (m.plain === null)
      refuse(
        'merge-key-invalid',
        `key column ${where(name, into)} comes from an expression, expected a plain column`,
        where(name, into),
        'A row must be found again by its key: map a plain column.',
      );
  }
  const keys = key.filter((m) => m !== undefined);
  const sourceKey = keys.map((m) => m.plain ?? '');
  const uniques = await db.rows<{ oid: number; name: string; columns: readonly string[] }>('merge-table/uniques', { values: [[from.oid, into.oid]] });
  const isUnique = (oid: number, names: readonly string[]): boolean =>
    uniques.some((u) => u.oid === oid && u.columns.length === names.length && names.every((n) => u.columns.includes(n)));
  if (!isUnique(from.oid, sourceKey))
    refuse(
      'merge-key-invalid',
      `${display(from)} has no primary key or unique index over (${sourceKey.join(', ')})`,
      display(from),
      'Rows are followed by this key: make it unique first.',
    );
  if (!isUnique(into.oid, spec.key))
    refuse(
      'merge-key-invalid',
      `${display(into)} has no primary key or unique index over (${spec.key.join(', ')})`,
      display(into),
      'Rows are matched by this key: make it unique first.',
    );
  for (const m of keys)
    if (targets.get(m.target)?.required !== true)
      refuse(
        'merge-key-invalid',
        `${where(m.target, into)} may be NULL, expected NOT NULL for a key`,
        where(m.target, into),
        'ALTER COLUMN … SET NOT NULL first.',
      );
  const others = mapped.filter((m) => !spec.key.includes(m.target));
  for (const m of others)
    if (m.always)
      refuse(
        'merge-column-invalid',
        `${where(m.target, into)} is GENERATED ALWAYS AS IDENTITY and cannot follow later changes`,
        where(m.target, into),
        'ALTER COLUMN … SET GENERATED BY DEFAULT first.',
      );

  for (const { what } of await db.rows<{ what: string }>('merge-table/interference', { values: [into.oid] })) {
    refuse(
      'merge-target-acts',
      `${display(into)} has the ${what}, which would act on every merged row`,
      what,
      'Disable it for the migration, or drop it and create it again afterwards with a sql step.',
    );
  }
  const references = await db.rows<CatalogReference>('merge-table/references', { values: [[from.oid, into.oid]] });
  const outside = (await dependentsOf(db, [from.oid])).filter((d) => d.kind !== 'foreign key');
  findings.push(...dependentFindings(outside, () => display(from)));
  const repointed: (Reference & { becomes: string })[] = [];
  for (const r of references.filter((x) => x.parent_oid === from.oid && x.child_oid !== from.oid)) {
    const name = `${r.name} of ${display(r.child)}`;
    const leads = r.parent_columns.map((c) => mapped.find((m) => m.plain === c)?.target);
    const known = leads.filter((c) => c !== undefined);
    const sameTypes = known.every((c, i) => bare(targets.get(c)?.type ?? '') === bare(r.types[i] ?? ''));
    if (r.child_oid === into.oid)
      refuse('merge-reference-invalid', `foreign key ${name} leads from the target to the source`, name, 'Drop it in a plan before this one.');
    else if (r.partitioned)
      refuse(
        'merge-reference-invalid',
        `foreign key ${name} belongs to a partitioned table`,
        name,
        'Drop it in a plan before this one and make it again in one after.',
      );
    else if (!r.owned)
      refuse('not-owner', `foreign key ${name} belongs to a table of another role`, name, `Connect as a role that owns ${display(r.child)} too.`);
    else if (known.length < leads.length || !isUnique(into.oid, known) || !sameTypes || !r.definition.includes(r.words)) {
      refuse(
        'merge-reference-invalid',
        `foreign key ${name} cannot lead to ${display(into)}: its columns are not mapped one to one to a unique key of the same types`,
        name,
        'Drop the key in a plan before this one, or map its columns.',
      );
    } else {
      repointed.push({ ...reference(r), becomes: r.definition.replace(r.words, `REFERENCES ${ident(into)}(${known.map((c) => ident(c)).join(', ')})`) });
    }
  }
  if (references.some((r) => r.parent_oid === from.oid && r.child_oid === from.oid))
    refuse(
      'merge-reference-invalid',
      `${display(from)} refers to itself`,
      display(from),
      'Merging a table that refers to itself is not supported yet: drop the key in a plan before this one.',
    );

  const inverse = invert(spec, mapped, sources);
  for (const [source, expression] of Object.entries(spec.back)) {
    const reads = await columnsIn(expression);
    if (!sources.has(source) || reads === null || reads.some((c) => !targets.has(c))) {
      refuse(
        'merge-column-invalid',
        `back.${source}: expected a column of ${display(from)} and one expression over columns of ${display(into)}`,
        where(source, from),
        'Write the source column on the left, the expression over the target on the right.',
      );
      continue;
    }
    for (const c of reads) inverse.carried.add(c);
    if (!sourceKey.includes(source)) inverse.back.push({ source, expression });
  }
  if (findings.some((f) => f.severity === 'block')) return { findings, merge: null };
  const merge: Merge = {
    from: { schema: from.schema, name: from.name, oid: from.oid },
    into: { schema: into.schema, name: into.name, oid: into.oid },
    mapped: [...keys, ...others],
    keys: keys.length,
    sourceTypes: sourceKey.map((c) => typed(sources.get(c))),
    all: [...targets.values()].map(({ name, exact }) => ({ name, exact })),
    rest: [...targets.values()].filter((t) => !spec.key.includes(t.name) && !t.generated && !inverse.carried.has(t.name)).map((t) => t.name),
    back: inverse.back.filter((b) => !sourceKey.includes(b.source)),
    parents: references.filter((r) => r.child_oid === into.oid && r.columns.every((c) => mapped.some((m) => m.target === c))).map(reference),
    uniques: uniques
      .filter(
        (u) =>
          u.oid === into.oid &&
          !(u.columns.length === spec.key.length && u.columns.every((c) => spec.key.includes(c))) &&
          u.columns.every((c) => mapped.some((m) => m.target === c)),
      )
      .map((u) => u.columns),
    referrers: references.filter((r) => r.parent_oid === into.oid).map(reference),
    repointed,
    conflicts: spec.conflicts,
  };
  findings.push(...(await explained(db, merge)));
  return { findings, merge: findings.some((f) => f.severity === 'block') ? null : merge };
}

const bare = (type: string): string => type.replace(/\(.*\)/, '');
const typed = (c: Column | undefined): string => `${c?.type ?? ''}${c?.collation == null ? '' : ` COLLATE ${c.collation}`}`;
const reference = ({ name, definition, valid, comment, child, child_oid, parent, columns, parent_columns }: CatalogReference): Reference => ({
  name,
  definition,
  valid,
  comment,
  child,
  child_oid,
  parent,
  columns,
  parent_columns,
});

/** What can be carried back without being told: a source column that went unchanged into one target column. */
function invert(
  spec: MergeTable,
  mapped: readonly Mapped[],
  sources: ReadonlyMap<string, Column>,
): { back: { source: string; expression: string }[]; carried: Set<string> } {
  const back: { source: string; expression: string }[] = [];
  const carried = new Set<string>();
  for (const m of mapped) {
    if (m.plain === null || m.plain in spec.back || back.some((b) => b.source === m.plain) || sources.get(m.plain)?.generated === true) continue;
    back.push({ source: m.plain, expression: ident(m.target) });
    carried.add(m.target);
  }
  return { back, carried };
}

/** Asks the server to plan the insertion: unknown functions and types that do not fit are its to judge. */
async function explained(db: ReadDb, merge: Merge): Promise<readonly Finding[]> {
  try {
    await db.rows('merge-table/explain', {
      names: { into: merge.into, from: merge.from },
      parts: { targets: join(merge.mapped.map((m) => ident(m.target))), expressions: join(merge.mapped.map((m) => glue`(${fromPlan(m.expression)})`)) },
    });
    return [];
  } catch (error) {
    if (!(error instanceof QueryFailed) || !error.sqlstate.startsWith('42')) throw error;
    return [
      block('merge-column-invalid', `the mapping does not fit: ${error.message}`, {
        object: display(merge.into),
        hint: 'Give an expression with an explicit conversion, such as \'"id"::uuid\'.',
      }),
    ];
  }
}
