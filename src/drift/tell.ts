import { note, warn, type Finding } from '../finding.js';
import { display } from '../names.js';
import type { Check, Section } from '../report/event.js';
import { holding, plural, sides, tableOf } from './compare.js';
import { statisticsAreTelling, untouched } from './facts.js';
import type { Layout, Side, Survey } from './survey.js';

/** A survey as findings, checks and tables of the report. Pure; keys, names and counts only. */
export interface Told {
  /** the two databases disagree about their schemas */
  readonly detected: boolean;
  readonly findings: readonly Finding[];
  readonly checks: readonly Check[];
  readonly sections: readonly Section[];
  readonly notCompared: readonly string[];
}

const shown = 500;
const both = (survey: Survey): readonly (readonly ['production' | 'development', Side])[] => [
  ['production', survey.production],
  ['development', survey.development],
];

export function tell(survey: Survey): Told {
  const { disagreement: d } = survey;
  const layouts = layoutNotes(survey);
  const detected = d.types.length + d.tables.length + d.others.length + d.missingSchemas.length + d.extraSchemas.length > 0;
  return {
    detected,
    findings: [...sameDatabase(survey), ...schemaFindings(survey), ...dataFindings(survey), ...layouts.findings],
    checks: checks(survey),
    sections: sections(survey, layouts.rows),
    notCompared: notCompared(survey),
  };
}

function sameDatabase(survey: Survey): readonly Finding[] {
  if (!survey.sameDatabase) return [];
  return [
    warn('drift-same-database', 'production-url and development-url lead to the same database, so it was compared with itself', {
      hint: 'Correct one of the secrets PROD_READ_DATABASE_URL and DEV_DATABASE_URL.',
    }),
  ];
}

function schemaFindings(survey: Survey): readonly Finding[] {
  const { disagreement: d } = survey;
  const byTable = new Map<string, string[]>();
  for (const t of d.types)
    byTable.set(tableOf(t), [...(byTable.get(tableOf(t)) ?? []), `${t.of.name} is ${sides(t).production}, in development ${sides(t).development}`]);
  return [
    ...[...byTable].map(([object, columns]) => warn('drift-types', `${object}: ${columns.join('; ')}`, { object, count: columns.length })),
    ...both(survey).flatMap(([role, side]) =>
      side.changes.flatMap((c) =>
        c.because === null
          ? []
          : [
              warn(
                'drift-types',
                `${role}: ${display(c.table)}.${c.column} is ${c.from}, but the key it names, ${display(c.because.parent)}(${c.because.parentColumns.join(', ')}), is or becomes ${c.to}`,
                { object: `${display(c.table)}.${c.column}` },
              ),
            ],
      ),
    ),
    ...d.tables.map((t) =>
      warn('drift-objects', t.what === 'missing' ? `only development has table ${t.object}` : `only production has table ${t.object}`, { object: t.object }),
    ),
    ...d.others.map((o) =>
      warn(
        'drift-objects',
        o.what === 'changed'
          ? `${o.kind} ${o.object} differs in ${o.fact ?? 'a fact'}: production ${sides(o).production}, development ${sides(o).development}`
          : `only ${o.what === 'missing' ? 'development' : 'production'} has ${o.kind} ${o.object}`,
        { object: o.object },
      ),
    ),
    ...d.missingSchemas.map((s) => warn('drift-objects', `only development has schema ${s.name} (${holding(s)})`, { object: s.name })),
    ...d.extraSchemas.map((s) => warn('drift-objects', `only production has schema ${s.name} (${holding(s)})`, { object: s.name })),
    ...d.renamed.map((r) =>
      note('drift-layout', `${r.kind} ${r.production} of ${display(r.table)} is called ${r.development} in development; they are otherwise the same`, {
        object: display(r.table),
      }),
    ),
  ];
}

function dataFindings(survey: Survey): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [role, side] of both(survey)) {
    for (const pair of side.duplicates) {
      const object = display(pair.from.table);
      findings.push(
        warn(
          'drift-duplicate-table',
          `${role}: ${object} looks like ${display(pair.into.table)} again${pair.commonKeys === null ? '' : `; ${plural(pair.commonKeys, 'key')} in both`}`,
          {
            object,
            hint: 'Merge it with a merge-table step, or keep it if the likeness is a coincidence.',
          },
        ),
      );
    }
    for (const { reference: r, orphans, keys } of side.references.filter((f) => f.orphans > 0)) {
      const object = `${display(r.table)}(${r.columns.join(', ')})`;
      const why =
        r.by === 'declared' ? `foreign key ${r.name}` : r.by === 'elsewhere' ? `foreign key ${r.name} of the other database` : 'by its name a reference';
      findings.push(
        warn('drift-orphans', `${role}: ${plural(orphans, 'row')} of ${object} name no row of ${display(r.parent)}(${r.parentColumns.join(', ')}) (${why})`, {
          object,
          count: orphans,
          keys,
        }),
      );
    }
    for (const c of side.changes.filter((x) => (x.unfit ?? 0) > 0)) {
      findings.push(
        warn('drift-unfit-values', `${role}: ${plural(c.unfit ?? 0, 'value')} of ${display(c.table)}.${c.column} do not fit ${c.to}`, {
          object: `${display(c.table)}.${c.column}`,
          count: c.unfit ?? 0,
          hint: 'Give `using:`, or `unfit: quarantine`, before changing the type.',
        }),
      );
    }
    for (const u of side.unvalidated) {
      findings.push(
        warn('drift-not-validated', `${role}: ${u.kind} ${u.name} of ${display(u.relation)} is not ${u.kind === 'index' ? 'valid' : 'validated'}`, {
          object: `${display(u.relation)}.${u.name}`,
        }),
      );
    }
    const empty = side.tables.filter((t) => t.empty);
    if (empty.length > 0)
      findings.push(note('drift-unused-tables', `${role}: ${plural(empty.length, 'empty table')}: ${names(empty)}`, { count: empty.length }));
    const idle = side.tables.filter((t) => !t.empty && untouched(t));
    if (idle.length > 0 && statisticsAreTelling(side.tables)) {
      findings.push(
        note('drift-unused-tables', `${role}: ${plural(idle.length, 'table')} with rows but no index scan, update or delete ${since(side)}: ${names(idle)}`, {
          count: idle.length,
        }),
      );
    }
  }
  return findings;
}

const names = (tables: Side['tables']): string => {
  const first = tables.slice(0, 20).map((t) => display(t.table));
  return tables.length > first.length ? `${first.join(', ')} and ${String(tables.length - first.length)} more` : first.join(', ');
};

const since = (side: Side): string =>
  side.facts.statisticsSeconds === null
    ? 'since the statistics began'
    : `in the ${String(Math.max(1, Math.round(side.facts.statisticsSeconds / 86_400)))} days of the statistics`;

/** Column order and comments: no part of drift, worth a note. */
function layoutNotes(survey: Survey): { readonly findings: readonly Finding[]; readonly rows: readonly (readonly string[])[] } {
  const theirs = new Map(survey.development.layout.map((l) => [display(l), l]));
  const described = survey.production.layout.flatMap((ours) => {
    const other = theirs.get(display(ours));
    if (other === undefined) return [];
    const what = [...(inOrder(ours, other) ? [] : ['columns in another order']), ...commentDifferences(ours, other)];
    return what.length === 0 ? [] : [[display(ours), what.join('; ')] as const];
  });
  return { rows: described, findings: described.map(([object, what]) => note('drift-layout', `${object}: ${what}`, { object })) };
}

const inOrder = (a: Layout, b: Layout): boolean => {
  const common = (from: Layout, other: Layout): readonly string[] => from.columns.filter((c) => other.columns.includes(c));
  return common(a, b).join('\0') === common(b, a).join('\0');
};

function commentDifferences(ours: Layout, theirs: Layout): readonly string[] {
  const columns = [...new Set([...Object.keys(ours.comments), ...Object.keys(theirs.comments)])].filter((c) => ours.comments[c] !== theirs.comments[c]);
  const table = ours.comment === theirs.comment ? 0 : 1;
  return columns.length + table === 0 ? [] : [plural(columns.length + table, 'comment differs', 'comments differ')];
}

function checks(survey: Survey): readonly Check[] {
  const { disagreement: d, production } = survey;
  const check = (name: string, criterion: Check['criterion'], expected: string, count: number, actual: string): Check => ({
    name,
    criterion,
    expected,
    actual,
    verdict: count === 0 ? 'pass' : 'fail',
  });
  const orphans = production.references.filter((r) => r.orphans > 0);
  const mismatched = production.changes.filter((c) => c.because !== null);
  const keysMissing = d.others.filter((o) => o.kind === 'constraint' && o.what === 'missing' && o.of.facts['kind'] === 'foreign key');
  const objects = d.tables.length + d.others.length + d.missingSchemas.length + d.extraSchemas.length;
  return [
    check(
      'column types of production',
      'types',
      'as in development',
      d.types.length,
      d.types.length === 0 ? 'the same' : `${plural(d.types.length, 'column')} of ${plural(new Set(d.types.map(tableOf)).size, 'table')} differ`,
    ),
    check(
      'columns of production that name keys',
      'types',
      'of the type of the key',
      mismatched.length,
      mismatched.length === 0 ? 'all' : `${plural(mismatched.length, 'column')} of another type`,
    ),
    check('duplicate-looking tables of production', 'duplicates', '0', production.duplicates.length, String(production.duplicates.length)),
    check(
      'foreign keys that development has',
      'foreign-keys',
      'in production too',
      keysMissing.length,
      keysMissing.length === 0 ? 'all' : `${plural(keysMissing.length, 'key')} missing`,
    ),
    check(
      'foreign keys of production',
      'foreign-keys',
      'all validated',
      production.unvalidated.filter((u) => u.kind === 'foreign key').length,
      production.unvalidated.filter((u) => u.kind === 'foreign key').length === 0
        ? 'all'
        : `${plural(production.unvalidated.filter((u) => u.kind === 'foreign key').length, 'key')} not validated`,
    ),
    check(
      'rows of production without a parent',
      'foreign-keys',
      '0',
      orphans.length,
      orphans.length === 0
        ? `0, in ${plural(production.references.length, 'reference')}`
        : `${plural(
            orphans.reduce((sum, r) => sum + r.orphans, 0),
            'row',
          )} in ${plural(orphans.length, 'reference')}`,
    ),
    check(
      'tables, columns, keys, indexes, functions, schemas',
      'other',
      'as in development',
      objects,
      objects === 0 ? 'the same' : plural(objects, 'difference'),
    ),
  ];
}

function sections(survey: Survey, layout: readonly (readonly string[])[]): readonly Section[] {
  const { disagreement: d } = survey;
  const all: Section[] = [
    {
      title: 'Column types that differ',
      head: ['Table', 'Column', 'Production', 'Development', 'Values of production that do not fit'],
      rows: d.types.map((t) => {
        const change = survey.production.changes.find((c) => display(c.table) === tableOf(t) && c.column === t.of.name);
        return [
          tableOf(t),
          t.of.name,
          sides(t).production,
          sides(t).development,
          change === undefined || change.unfit === null ? 'not known without trying' : String(change.unfit),
        ];
      }),
    },
    {
      title: 'Columns of another type than the key they name',
      head: ['Database', 'Table', 'Column', 'Type', 'Key', 'Its type, now or as development has it', 'Values that do not fit'],
      rows: both(survey).flatMap(([role, side]) =>
        side.changes.flatMap((c) =>
          c.because === null
            ? []
            : [
                [
                  role,
                  display(c.table),
                  c.column,
                  c.from,
                  `${display(c.because.parent)}(${c.because.parentColumns.join(', ')})`,
                  c.to,
                  c.unfit === null ? 'not known without trying' : String(c.unfit),
                ],
              ],
        ),
      ),
    },
    {
      title: 'Objects that differ',
      head: ['Kind', 'Object', 'Production', 'Development'],
      rows: [...d.tables, ...d.others].map((o) => [
        o.fact === undefined ? o.kind : `${o.kind}: ${o.fact}`,
        o.object,
        sides(o).production,
        sides(o).development,
      ]),
    },
    {
      title: 'Schemas that one side lacks',
      head: ['Schema', 'Production', 'Development'],
      rows: [...d.missingSchemas.map((s) => [s.name, 'absent', holding(s)]), ...d.extraSchemas.map((s) => [s.name, holding(s), 'absent'])],
    },
    {
      title: 'Duplicate-looking tables',
      head: ['Database', 'Table', 'Rows', 'Looks like', 'Rows', 'Columns in common', 'Keys in both'],
      rows: both(survey).flatMap(([role, side]) =>
        side.duplicates.map((p) => [
          role,
          display(p.from.table),
          rowsOf(side, display(p.from.table)),
          display(p.into.table),
          rowsOf(side, display(p.into.table)),
          `${String(Math.round(p.similarity * 100))} %`,
          p.commonKeys === null ? 'not comparable' : String(p.commonKeys),
        ]),
      ),
    },
    {
      title: 'Rows without a parent',
      head: ['Database', 'Reference', 'Parent', 'Declared', 'Rows', 'Keys (first 10)'],
      rows: both(survey).flatMap(([role, side]) =>
        side.references
          .filter((r) => r.orphans > 0)
          .map(({ reference: r, orphans, keys }) => [
            role,
            `${display(r.table)}(${r.columns.join(', ')})`,
            `${display(r.parent)}(${r.parentColumns.join(', ')})`,
            declared[r.by],
            String(orphans),
            keys.slice(0, 10).join(' '),
          ]),
      ),
    },
    {
      title: 'Empty and untouched tables',
      head: ['Database', 'Table', 'Rows', 'Index scans', 'Inserted', 'Updated', 'Deleted'],
      rows: both(survey).flatMap(([role, side]) =>
        side.tables
          .filter((t) => t.empty || (untouched(t) && statisticsAreTelling(side.tables)))
          .map((t) => [
            role,
            display(t.table),
            rowsOf(side, display(t.table)),
            String(t.use.indexScans),
            String(t.use.inserted),
            String(t.use.updated),
            String(t.use.deleted),
          ]),
      ),
      note: `Use is what the statistics counted: in production ${since(survey.production)}, in development ${since(survey.development)}.`,
    },
    {
      title: 'Order of columns and comments',
      head: ['Table', 'Development has'],
      rows: layout,
      note: 'Notes only: neither changes what the application sees.',
    },
  ];
  return all
    .filter((s) => s.rows.length > 0)
    .map((s) =>
      s.rows.length <= shown
        ? s
        : { ...s, rows: s.rows.slice(0, shown), note: `${s.note === undefined ? '' : `${s.note} `}The first ${String(shown)} of ${String(s.rows.length)}.` },
    );
}

const declared = { declared: 'yes', elsewhere: 'only in the other database', implied: 'no, by its name' } as const;

const rowsOf = (side: Side, table: string): string => {
  const facts = side.tables.find((t) => display(t.table) === table);
  return facts === undefined ? '?' : `${facts.exact ? '' : 'about '}${String(facts.rows)}`;
};

function notCompared(survey: Survey): readonly string[] {
  const estimated = both(survey).flatMap(([role, side]) => side.tables.filter((t) => !t.exact).map((t) => `${role} ${display(t.table)}`));
  const young = both(survey)
    .filter(([, side]) => !statisticsAreTelling(side.tables))
    .map(([role]) => role);
  return [
    'owners, grants and default privileges',
    'the rows themselves: both databases have rows of their own, so only counts, keys and references were looked at',
    'values of sequences, settings of roles and databases, event triggers, foreign servers, casts, operators and text search configurations',
    'references that neither a foreign key nor a column name like <table>_id shows',
    `schemas other than ${survey.schemas.join(', ')}, beyond whether they exist and how much they hold`,
    ...(estimated.length === 0 ? [] : [`exact rows of big tables, where the statistics' estimate is given: ${estimated.join(', ')}`]),
    ...(young.length === 0 ? [] : [`which tables of ${young.join(' and ')} nobody uses: the statistics know of too little use to tell`]),
  ];
}
