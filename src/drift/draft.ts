import { Document, isMap, isScalar, isSeq, visit } from 'yaml';
import { display, type Relation } from '../names.js';
import { holding, plural, sides, type TypeChange } from './compare.js';
import { isSame } from './duplicates.js';
import { statisticsAreTelling, untouched, type TableFacts } from './facts.js';
import type { Reference } from './references.js';
import { columnOf, type Shape, type ShapeKey } from './shape.js';
import type { CountedChange, CountedDuplicate, Side, Survey } from './survey.js';
import { words } from './words.js';

/** A proposed step and why it is proposed. `tables`: reasons beside a table of a rebuild. */
interface Proposal {
  readonly step: Readonly<Record<string, unknown>>;
  readonly why: readonly string[];
  readonly tables?: Readonly<Record<string, readonly string[]>>;
}

/**
 * A plan that would bring production in line with development, as YAML that the plan reader accepts, with the reasons as comments. It is a
 * draft: a person reads, edits and commits it. Null when there is nothing to propose; whatever is not proposed is named in its head.
 * @param madeAt shown in the head
 */
export function draftPlan(survey: Survey, madeAt: Date): string | null {
  const { production, development, schemas } = survey;
  const covered = new Set<string>();
  const ids = new Set<string>();
  const merges = production.duplicates.map((pair) => merge(pair, schemas, ids));
  const merged = production.duplicates.map((pair) => pair.from.table);
  const retire = retireable(production, development, merged);
  const inspect = legacy(production, development, [...merged, ...retire.map((r) => r.table)]);
  // two steps of a plan may not touch the same table
  const busy = [...merged, ...production.duplicates.map((pair) => pair.into.table), ...retire.map((r) => r.table)];
  const proposals: Proposal[] = [
    ...rebuilds(production, development, schemas, busy, covered, ids),
    ...rebuilds(development, null, schemas, [], covered, ids),
    ...merges,
    ...retireStep(retire, schemas, ids),
    ...inspectStep(inspect, schemas, ids),
    ...schemaSteps(survey, ids),
  ];
  if (proposals.length === 0) return null;
  const document = new Document({
    name: 'align-production-with-development',
    retention: '7d',
    'max-lock': '1s',
    schemas: [...schemas],
    steps: proposals.map((p) => p.step),
  });
  document.commentBefore = comment([
    `A draft, made by the drift phase on ${madeAt.toISOString().slice(0, 16)}Z from what ${production.facts.database} (production) and ${development.facts.database} (development) contain.`,
    'Read it, delete what you do not want, correct the guesses, and commit it as your plan. Nothing here has been run.',
    ...unproposed(survey, covered, [...merged, ...retire.map((r) => r.table), ...inspect.map((r) => r.table)]),
  ]);
  const steps = document.get('steps');
  if (isSeq(steps)) {
    steps.items.forEach((item, i) => {
      const proposal = proposals[i];
      if (!isMap(item) || proposal === undefined) return;
      item.commentBefore = comment(proposal.why);
      if (i > 0) item.spaceBefore = true;
      const rebuild = item.get('rebuild-tables');
      if (isMap(rebuild)) {
        for (const pair of rebuild.items) {
          const why = isScalar(pair.key) ? proposal.tables?.[String(pair.key.value)] : undefined;
          if (why !== undefined && why.length > 0 && isScalar(pair.key)) pair.key.commentBefore = comment(why);
        }
      }
    });
  }
  visit(document, {
    // leaves on one line, as people write them
    Map: (_key, node) => {
      const leaf = (value: unknown): boolean => isScalar(value) || (isSeq(value) && value.items.every((v) => isScalar(v)));
      if (node.items.length > 0 && node.items.every((p) => leaf(p.value))) node.flow = !node.has('name') && !node.has('id') && !node.has('from');
    },
    Seq: (_key, node) => {
      if (node.items.length > 0 && node.items.every((v) => isScalar(v))) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 160, flowCollectionPadding: true });
}

const comment = (lines: readonly string[]): string => lines.map((line) => ` ${line.replace(/[\r\n]+/g, ' ')}`).join('\n');

/** As a plan writes a relation: bare in the plan's first schema; null when a dot in a name leaves no way to write it as a key. */
function written(table: Relation, schemas: readonly string[]): string | null {
  if (table.name.includes('.') || table.schema.includes('.')) return null;
  return table.schema === schemas[0] ? table.name : display(table);
}

/** The same for lists, where [schema, name] is possible. */
const listed = (table: Relation, schemas: readonly string[]): string | readonly [string, string] => written(table, schemas) ?? [table.schema, table.name];

function stepId(name: string, ids: Set<string>): string {
  const base =
    words(name)
      .join('-')
      .replace(/[^a-z0-9-]/g, '')
      .replace(/^-+/, '')
      .slice(0, 40) || 'step';
  let id = base;
  for (let n = 2; ids.has(id); n += 1) id = `${base}-${String(n)}`;
  ids.add(id);
  return id;
}

const rows = (n: number): string => plural(n, 'row');
const quoted = (column: string): string => `"${column.replaceAll('"', '""')}"`;
const sameKey = (a: ShapeKey, b: ShapeKey): boolean =>
  a.columns.join('\0') === b.columns.join('\0') && isSame(a.to, b.to) && a.toColumns.join('\0') === b.toColumns.join('\0');

/** A rebuild of one table, and the tables it must be swapped together with. */
interface Rebuild {
  readonly table: Relation;
  readonly key: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly why: readonly string[];
  readonly together: readonly Relation[];
  readonly types: boolean;
}

/** @param model the side whose definition is wanted; null: only what a side's own references ask for */
function rebuilds(
  side: Side,
  model: Side | null,
  schemas: readonly string[],
  except: readonly Relation[],
  covered: Set<string>,
  ids: Set<string>,
): readonly Proposal[] {
  const found = side.shapes.flatMap((shape): Rebuild[] => {
    const key = written(shape.table, schemas);
    if (key === null || except.some((t) => isSame(t, shape.table))) return [];
    const rebuild = rebuildOf(shape, model?.shapes.find((s) => isSame(s.table, shape.table)) ?? null, side, key, schemas, covered);
    return rebuild === null ? [] : [rebuild];
  });
  return groups(found).map((group): Proposal => {
    const names = group.map((r) => words(r.table.name).slice(-1).join(' '));
    const suffix = group.some((r) => r.types) ? 'types' : 'keys';
    return {
      step: {
        id: stepId(`${model === null ? 'dev ' : ''}${names.slice(0, 2).join(' ')} ${suffix}`, ids),
        ...(model === null ? { on: 'development' } : {}),
        'rebuild-tables': Object.fromEntries(group.map((r) => [r.key, r.spec])),
      },
      why: [
        model === null
          ? 'Development itself refers to keys of another type than its own columns have.'
          : 'Production differs from development here. Rebuilt online; old tables are kept until cleanup.',
        ...(group.length > 1 ? ['One step, because these tables refer to each other and must change at the same moment.'] : []),
      ],
      tables: Object.fromEntries(group.map((r) => [r.key, r.why])),
    };
  });
}

function rebuildOf(shape: Shape, model: Shape | null, side: Side, key: string, schemas: readonly string[], covered: Set<string>): Rebuild | null {
  const why: string[] = [];
  const columns: Record<string, Record<string, unknown>> = {};
  const changes = side.changes.filter((c) => isSame(c.table, shape.table) && plausible(c, side));
  for (const change of changes) {
    columns[change.column] = { type: change.to };
    covered.add(`column ${display(shape.table)}.${change.column} type`);
    why.push(`${change.column}: ${change.from} → ${change.to}, ${because(change)}${unfitText(change)}.`);
  }
  for (const column of shape.columns) {
    const wanted = model === null ? undefined : columnOf(model, column.name);
    if (wanted === undefined) continue;
    const change: Record<string, unknown> = {};
    // a serial's sequence belongs to the database it is in
    if (wanted.default !== column.default && ![wanted.default, column.default].some((d) => /\bnextval\(/.test(d ?? ''))) change['default'] = wanted.default;
    if (wanted.notNull !== column.notNull) change['not-null'] = wanted.notNull;
    if (Object.keys(change).length === 0) continue;
    columns[column.name] = { ...columns[column.name], ...change };
    for (const fact of Object.keys(change)) covered.add(`column ${display(shape.table)}.${column.name} ${fact}`);
  }
  const missingKeys =
    model === null ? [] : model.foreignKeys.filter((k) => !shape.foreignKeys.some((own) => sameKey(own, k)) && side.shapes.some((s) => isSame(s.table, k.to)));
  const foreignKeys = Object.fromEntries(missingKeys.flatMap((k) => keySpec(k, schemas, shape, covered)));
  const unique = Object.fromEntries(
    (model?.unique ?? [])
      .filter((u) => !shape.unique.some((own) => own.columns.join('\0') === u.columns.join('\0')))
      .map((u) => {
        covered.add(`constraint ${display(shape.table)}.${u.name}`);
        return [u.name, { columns: [...u.columns] }];
      }),
  );
  const indexes = Object.fromEntries(
    (model?.indexes ?? []).flatMap((i) => {
      const columnsOfIndex = i.columns;
      if (
        columnsOfIndex === null ||
        i.unique ||
        shape.indexes.some((own) => own.columns?.join('\0') === columnsOfIndex.join('\0') && own.where === i.where && own.method === i.method)
      )
        return [];
      covered.add(`index ${display(shape.table)}.${i.name}`);
      return [
        [
          i.name,
          { columns: [...columnsOfIndex], ...(i.method === 'btree' ? {} : { method: i.method }), ...(i.where === null ? {} : { where: i.where }) },
        ] as const,
      ];
    }),
  );
  const sections = { columns, indexes, unique, 'foreign-keys': foreignKeys };
  const filled = Object.entries(sections).filter(([, value]) => Object.keys(value).length > 0);
  if (filled.length === 0) return null;
  const orphaned = side.references.filter((r) => isSame(r.reference.table, shape.table) && r.orphans > 0);
  for (const { reference, orphans } of orphaned) {
    why.push(
      `${rows(orphans)} of ${reference.columns.join(', ')} name no row of ${display(reference.parent)}: with unfit: quarantine they are kept aside, counted and shown; with fail the plan is refused.`,
    );
  }
  for (const { reference } of side.references.filter((r) => r.reference.by === 'implied' && isSame(r.reference.table, shape.table))) {
    const to = written(reference.parent, schemas);
    if (to !== null) {
      const key = `${words(shape.table.name).slice(-1).join('')}_${words(reference.parent.name).slice(-1).join('')}_fk`;
      why.push(
        `By its name ${reference.columns.join(', ')} refers to ${to}(${reference.parentColumns.join(', ')}), but no foreign key says so. If it does, add`,
        `  foreign-keys: { ${key}: { columns: [ ${reference.columns.join(', ')} ], references: "${to}(${reference.parentColumns.join(', ')})" } }`,
      );
    }
  }
  const needsQuarantine = changes.some((c) => (c.unfit ?? 0) > 0) || orphaned.some((o) => o.reference.by === 'elsewhere');
  const related = side.references.filter((r) => isSame(r.reference.table, shape.table) || isSame(r.reference.parent, shape.table));
  return {
    table: shape.table,
    key,
    spec: { ...Object.fromEntries(filled), ...(needsQuarantine ? { unfit: 'quarantine' } : {}) },
    why,
    together: related.map(({ reference }) => (isSame(reference.table, shape.table) ? reference.parent : reference.table)),
    types: changes.length > 0,
  };
}

function keySpec(k: ShapeKey, schemas: readonly string[], shape: Shape, covered: Set<string>): readonly (readonly [string, Record<string, unknown>])[] {
  const to = written(k.to, schemas);
  if (to === null) return [];
  covered.add(`constraint ${display(shape.table)}.${k.name}`);
  const actions = { ...(k.onDelete === 'no action' ? {} : { 'on-delete': k.onDelete }), ...(k.onUpdate === 'no action' ? {} : { 'on-update': k.onUpdate }) };
  return [[k.name, { columns: [...k.columns], references: `${to}(${k.toColumns.join(', ')})`, ...actions }]];
}

/** A reference guessed by name, none of whose values fits the parent's type, was a wrong guess. */
function plausible(change: CountedChange, side: Side): boolean {
  if (change.because === null) return true;
  const facts = side.tables.find((t) => isSame(t.table, change.table));
  return change.unfit === null || change.unfit === 0 || facts === undefined || change.unfit < facts.rows;
}

const because = (change: TypeChange): string =>
  change.because === null
    ? 'as development has it'
    : `like the key it refers to, ${display(change.because.parent)}(${change.because.parentColumns.join(', ')})`;
const unfitText = (change: CountedChange): string =>
  change.unfit === null
    ? '; whether every value fits shows only in rehearsal'
    : change.unfit === 0
      ? '; every value fits'
      : `; ${String(change.unfit)} values do not fit`;

/** Tables connected by references, in order of appearance. */
function groups(all: readonly Rebuild[]): readonly (readonly Rebuild[])[] {
  const done = new Set<Rebuild>();
  return all.flatMap((start) => {
    if (done.has(start)) return [];
    const group = [start];
    done.add(start);
    for (const member of group) {
      for (const next of all) {
        if (done.has(next) || ![...member.together.map((t) => isSame(t, next.table)), ...next.together.map((t) => isSame(t, member.table))].some(Boolean))
          continue;
        done.add(next);
        group.push(next);
      }
    }
    return [all.filter((r) => group.includes(r))];
  });
}

function merge(pair: CountedDuplicate, schemas: readonly string[], ids: Set<string>): Proposal {
  const expressions = pair.columns.flatMap(({ from, into }) => {
    const target = columnOf(pair.into, into)?.type ?? '';
    const cast = columnOf(pair.from, from)?.type === target ? '' : `::${target}`;
    return from === into && cast === '' ? [] : [[into, `${quoted(from)}${cast}`] as const];
  });
  const guesses = pair.columns.filter((c) => c.by === 'guess');
  return {
    step: {
      id: stepId(`merge ${pair.from.table.name}`, ids),
      'merge-table': {
        from: listed(pair.from.table, schemas),
        into: listed(pair.into.table, schemas),
        key: pair.key ?? pair.from.primaryKey,
        ...(expressions.length === 0 ? {} : { columns: Object.fromEntries(expressions) }),
        conflicts: 'fail',
      },
    },
    why: [
      `${display(pair.from.table)} looks like ${display(pair.into.table)} again: ${String(Math.round(pair.similarity * 100))} % of its columns have a counterpart.`,
      pair.commonKeys === null
        ? 'Their keys cannot be compared: correct `key:`.'
        : `${String(pair.commonKeys)} of its keys are in both; the same key with other contents would be a conflict.`,
      ...(guesses.length === 0 ? [] : [`Only guessed, check each: ${guesses.map((g) => `${g.from} → ${g.into}`).join(', ')}.`]),
      ...(pair.unmatched.length === 0 ? [] : [`Without a counterpart, so map each under columns: or name it under ignore: (${pair.unmatched.join(', ')}).`]),
    ],
  };
}

interface Reasoned {
  readonly table: Relation;
  readonly why: string;
}

/** Empty tables that development lacks, or that neither side has ever written to, and that no remaining table refers to. */
function retireable(production: Side, development: Side, except: readonly Relation[]): readonly Reasoned[] {
  const neverWritten = (t: TableFacts): boolean => t.empty && untouched(t) && t.use.inserted === 0;
  // statistics that did not see the other tables being filled know nothing about these
  const aware = (side: Side): boolean => {
    const filled = side.tables.filter((t) => !t.empty);
    return filled.length > 0 && filled.filter((t) => t.use.inserted > 0).length * 2 >= filled.length;
  };
  const bothAware = aware(production) && aware(development);
  let candidates = production.tables
    .filter((t) => t.empty && !except.some((e) => isSame(e, t.table)))
    .flatMap((t): Reasoned[] => {
      const other = development.tables.find((o) => isSame(o.table, t.table));
      if (other === undefined) return [{ table: t.table, why: 'empty, and development lacks it' }];
      return bothAware && neverWritten(t) && neverWritten(other)
        ? [{ table: t.table, why: 'empty on both sides and never written to since the statistics were reset' }]
        : [];
    });
  const inbound = (table: Relation): readonly Reference[] =>
    production.references.map((r) => r.reference).filter((r) => r.by !== 'implied' && isSame(r.parent, table) && !isSame(r.table, table));
  for (;;) {
    const kept = candidates.filter((c) => inbound(c.table).every((r) => candidates.some((other) => isSame(other.table, r.table))));
    if (kept.length === candidates.length) return kept;
    candidates = kept;
  }
}

/** Tables with rows that development lacks, or that the statistics know no use of. */
function legacy(production: Side, development: Side, except: readonly Relation[]): readonly Reasoned[] {
  const telling = statisticsAreTelling(production.tables);
  return production.tables
    .filter((t) => !t.empty && !except.some((e) => isSame(e, t.table)) && !production.duplicates.some((d) => isSame(d.into.table, t.table)))
    .flatMap((t): Reasoned[] => {
      if (!development.tables.some((o) => isSame(o.table, t.table))) return [{ table: t.table, why: `${rows(t.rows)}, and development lacks it` }];
      return telling && untouched(t) ? [{ table: t.table, why: `${rows(t.rows)}, no index scan, update or delete since the statistics were reset` }] : [];
    });
}

function retireStep(tables: readonly Reasoned[], schemas: readonly string[], ids: Set<string>): readonly Proposal[] {
  if (tables.length === 0) return [];
  return [
    {
      step: { id: stepId('unused tables', ids), 'retire-tables': { tables: tables.map((t) => listed(t.table, schemas)), 'only-if': 'empty' } },
      why: [
        'Empty tables. That they are empty is proved again under lock; that no code names them is for you to check.',
        ...tables.map((t) => `${display(t.table)}: ${t.why}`),
      ],
    },
  ];
}

function inspectStep(tables: readonly Reasoned[], schemas: readonly string[], ids: Set<string>): readonly Proposal[] {
  if (tables.length === 0) return [];
  return [
    {
      step: { id: stepId('legacy tables', ids), 'inspect-tables': tables.map((t) => listed(t.table, schemas)) },
      why: [
        'They have rows but no sign of use. The step changes nothing: it gathers the facts for a decision.',
        ...tables.map((t) => `${display(t.table)}: ${t.why}`),
      ],
    },
  ];
}

function schemaSteps(survey: Survey, ids: Set<string>): readonly Proposal[] {
  const extra = survey.disagreement.missingSchemas.filter((s) => !survey.schemas.includes(s.name));
  if (extra.length === 0) return [];
  return [
    {
      step: { id: stepId('extra schemas', ids), on: 'development', 'retire-schemas': extra.map((s) => s.name) },
      why: [
        'Schemas that only development has. If production needs them, delete this step and create them there.',
        ...extra.map((s) => `${s.name}: ${holding(s)}`),
      ],
    },
  ];
}

/** What differs and has no proposal: named, never dropped silently. */
function unproposed(survey: Survey, covered: ReadonlySet<string>, handled: readonly Relation[]): readonly string[] {
  const { disagreement } = survey;
  const isHandled = (schema: string, name: string): boolean => handled.some((t) => isSame(t, { schema, name }));
  const lines = [
    ...disagreement.tables
      .filter((d) => !isHandled(d.of.schema, d.of.name))
      .map(
        (d) =>
          `${d.object}: ${d.what === 'missing' ? 'only development has this table; the migrations of the application create it (a drizzle or sql step)' : 'only production has this table'}`,
      ),
    ...[...disagreement.types, ...disagreement.others]
      .filter(
        (d) => !isHandled(d.of.schema, d.of.parent ?? '') && !covered.has(`${d.kind} ${d.object}`) && !covered.has(`${d.kind} ${d.object} ${d.fact ?? ''}`),
      )
      .map((d) => `${d.kind} ${d.object}${d.fact === undefined ? '' : `, ${d.fact}`}: production ${sides(d).production}; development ${sides(d).development}`),
    ...disagreement.extraSchemas.map((s) => `schema ${s.name}: only production has it`),
  ];
  const silent = statisticsAreTelling(survey.production.tables)
    ? []
    : ['', 'Which tables nobody uses cannot be told: the statistics of production know of too little use. Name those you doubt in an inspect-tables step.'];
  return lines.length === 0 ? silent : [...silent, '', 'Different too, but nothing is proposed for it:', ...lines.map((line) => `- ${line}`)];
}
