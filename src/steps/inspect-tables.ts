import { z } from 'zod';
import { block, note, type Finding } from '../finding.js';
import { display, type Relation } from '../names.js';
import type { Mention } from '../proof/mentions.js';
import {
  dependentsOf,
  foreignKeysFrom,
  functionsNaming,
  relationsOf,
  rowsIn,
  tableFacts,
  writtenTable,
  type Dependent,
  type TableFacts,
} from '../retire/tables.js';
import type { Section, TableAccount } from '../report/event.js';
import type { ReadContext, Step } from './step.js';

export const schema = z
  .array(writtenTable)
  .min(1, 'found an empty list, expected the tables to inspect')
  .describe('tables to gather facts about; changes nothing');
export type InspectTables = z.infer<typeof schema>;
/** Nothing to remember. */
export type InspectTablesReceipt = { readonly inspected: readonly string[] };

export type Recommendation = 'retire' | 'keep' | 'decide';

/** What is known about a table, and what we would do. */
export interface Inspection {
  readonly table: Relation;
  readonly rows: number;
  readonly bytes: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly scans: number;
  /** from PostgreSQL 16 on */
  readonly last_scan: string | null;
  /** since when the statistics count; null: since the server was made */
  readonly since: string | null;
  readonly dependents: readonly Dependent[];
  readonly functions: readonly string[];
  readonly keys: readonly { readonly name: string; readonly parent: Relation }[];
  /** null: there was no source code to look into */
  readonly mentions: readonly Mention[] | null;
}

/** retire, keep or decide, with the reasons; never "drop". Pure. */
export function recommend(i: Inspection): { readonly what: Recommendation; readonly why: readonly string[] } {
  const uses = i.mentions?.filter((m) => !m.declares) ?? [];
  const keep = [
    ...i.dependents.map((d) => `${d.kind} ${d.identity} depends on it`),
    ...i.functions.map((f) => `function ${f} mentions it`),
    ...(uses.length === 0 ? [] : [`the code mentions it in ${String(uses.length)} places, first at ${uses[0]?.file ?? ''}:${String(uses[0]?.line ?? 0)}`]),
  ];
  if (keep.length > 0) return { what: 'keep', why: keep };
  const since = i.since === null ? 'since the statistics began' : `since ${i.since}`;
  const written = i.inserted + i.updated + i.deleted;
  const nobody = i.mentions === null ? 'nothing in the database depends on it' : 'nothing in the database depends on it and no code uses it';
  if (i.rows === 0 && written === 0) return { what: 'retire', why: [`it is empty and was not written ${since}`, nobody] };
  const doubts = [
    ...(i.mentions === null ? ['there was no source code to look into'] : []),
    ...(written === 0
      ? []
      : [`${String(i.inserted)} inserts, ${String(i.updated)} updates and ${String(i.deleted)} deletes ${since}: somebody writes it, or it was loaded then`]),
    ...(i.scans === 0 ? [] : [`it was read ${String(i.scans)} times ${since}`]),
  ];
  return doubts.length === 0
    ? { what: 'retire', why: [`nobody read or wrote it ${since}`, nobody, `its ${String(i.rows)} rows are kept and archived`] }
    : { what: 'decide', why: [nobody, ...doubts] };
}

/** Gathers facts for a decision. Only reads; takes ACCESS SHARE for the counts. */
export const inspectTables: Step<InspectTables, InspectTablesReceipt> = {
  schema,

  describe: (spec) => ({
    title: `inspect ${String(spec.length)} ${spec.length === 1 ? 'table' : 'tables'}`,
    touches: [],
    schemas: [],
    anything: false,
    heaviestLock: 'ACCESS SHARE',
    deletesData: false,
    undo: 'nothing-to-undo',
  }),

  async preflight(cx, spec) {
    const tables = relationsOf(spec, cx.plan);
    const findings: Finding[] = [];
    for (const [i, facts] of (await tableFacts(cx.db, tables)).entries()) {
      const object = display(tables[i] ?? { schema: '', name: '' });
      if (facts === null)
        findings.push(block('table-not-found', `${object} does not exist`, { object, hint: 'Correct the name (case matters), or take it out of the plan.' }));
      else if (facts.kind !== 'r' || facts.hidden) {
        findings.push(
          block('table-cannot-move', `${object} is no ordinary table whose rows this role can count`, {
            object,
            hint: 'Name ordinary tables, and use a role that sees all rows.',
          }),
        );
      }
    }
    return { findings, counts: {}, done: false };
  },

  async apply(cx, spec, receipt) {
    await receipt.save({ inspected: relationsOf(spec, cx.plan).map(display) });
  },

  async verify(cx, spec) {
    const facts = await tableFacts(cx.db, relationsOf(spec, cx.plan));
    const inspections: Inspection[] = [];
    for (const f of facts) if (f !== null) inspections.push(await inspect(cx, f));
    return {
      findings: inspections.map((i) => {
        const { what, why } = recommend(i);
        return note('table-inspected', `${display(i.table)} has ${String(i.rows)} rows; recommendation: ${what}, because ${why.join('; ')}`, {
          object: display(i.table),
          count: i.rows,
        });
      }),
      checks: [],
      tables: inspections.map((i): TableAccount => ({
        step: cx.stepId,
        table: display(i.table),
        before: i.rows,
        after: i.rows,
        quarantined: 0,
        checksum: null,
        proof: 'count',
      })),
      notCompared: cx.sources === undefined ? ['The source code: no checked-out repository was given.'] : [],
      rowsCompared: 0,
      sections: inspections.map(section),
    };
  },

  canUndo: () => Promise.resolve([]),
  undo: () => Promise.resolve(),
  watch: () => Promise.resolve({ findings: [], drained: 0, backlog: 0, blocking: [], tables: [] }),
  canCleanup: () => Promise.resolve([]),
  retired: () => [],
  cleanup: () => Promise.resolve(),
};

async function inspect(cx: ReadContext, facts: TableFacts): Promise<Inspection> {
  const [known] = await cx.db.rows<Pick<Inspection, 'bytes' | 'inserted' | 'updated' | 'deleted' | 'scans' | 'last_scan' | 'since'>>('inspect-tables/facts', {
    values: [[facts.oid]],
  });
  const siblings = await cx.db.rows<{ name: string }>('inspect-tables/siblings', { values: [facts.schema] });
  const table = { schema: facts.schema, name: facts.name };
  return {
    table,
    rows: await rowsIn(cx.db, table),
    bytes: known?.bytes ?? 0,
    inserted: known?.inserted ?? 0,
    updated: known?.updated ?? 0,
    deleted: known?.deleted ?? 0,
    scans: known?.scans ?? 0,
    last_scan: known?.last_scan ?? null,
    since: known?.since ?? null,
    dependents: await dependentsOf(cx.db, [facts.oid]),
    functions: await functionsNaming(cx.db, facts.name),
    keys: await foreignKeysFrom(cx.db, [facts.oid]),
    mentions: cx.sources === undefined ? null : await cx.sources(facts.name, commonPrefix(siblings.map((s) => s.name))),
  };
}

/** The part up to the first `_` that at least half of the tables (and three of them) share: `bazaar-vid_`. */
export function commonPrefix(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const prefix = /^[^_]+_/.exec(name)?.[0];
    if (prefix !== undefined) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best !== undefined && best[1] >= Math.max(3, names.length / 2) ? best[0] : '';
}

const shown = 8;

function section(i: Inspection): Section {
  const { what, why } = recommend(i);
  const since = i.since ?? 'the beginning of the statistics';
  const places = (i.mentions ?? []).map((m) => `${m.file}:${String(m.line)} as ${m.as}${m.declares ? ' (defines it)' : ''}`);
  const list = (items: readonly string[], none: string): string =>
    items.length === 0 ? none : items.slice(0, shown).join('; ') + (items.length > shown ? `; and ${String(items.length - shown)} more` : '');
  return {
    title: `${display(i.table)}: ${what}`,
    head: ['Fact', 'Found'],
    rows: [
      ['rows, exact', String(i.rows)],
      ['size with indexes', `${String(Math.ceil(i.bytes / 1024))} KiB`],
      [`written since ${since}`, `${String(i.inserted)} inserted, ${String(i.updated)} updated, ${String(i.deleted)} deleted`],
      [`read since ${since}`, `${String(i.scans)} scans${i.last_scan === null ? '' : `, last at ${i.last_scan}`}`],
      ['depend on it', list([...i.dependents.map((d) => `${d.kind} ${d.identity}`), ...i.functions.map((f) => `text of function ${f}`)], 'nothing')],
      [
        'its foreign keys',
        list(
          i.keys.map((k) => `${k.name} to ${display(k.parent)}`),
          'none',
        ),
      ],
      ['in the source code', i.mentions === null ? 'not looked for' : list(places, 'nowhere')],
      ['recommendation', `${what}: ${why.join('; ')}`],
    ],
  };
}
