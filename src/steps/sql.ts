import { z } from 'zod';
import { createHash } from 'node:crypto';
import { block, note, warn, type Finding } from '../finding.js';
import { display } from '../names.js';
import { changedRelations } from '../plan/changed-relations.js';
import { accept, hazards } from '../plan/hazards.js';
import { relation, type KindReading, type PlanFiles } from '../plan/plan.js';
import { forgetMarker, mark, marked, prepareMarkers, unmark } from './done.js';
import { accounts, addedBy, countRows, guarded, rowsSchema, unknownTables, wayBack, type Counts } from './row-guard.js';
import type { ReadContext, Step, Watched } from './step.js';

const path = z.string().min(1, 'expected a path relative to the plan file');
const specSchema = z.strictObject({
  file: path.describe('SQL file, run in one transaction'),
  undo: path.describe('SQL file that takes it back, or none').refine((text) => text === 'none' || /\S/.test(text)),
  rows: rowsSchema.optional(),
});
type Spec = z.infer<typeof specSchema>;

/** `committed` is read from the marker, which the transaction itself wrote: exactly once, whatever dies. */
type Receipt = {
  readonly state: 'started' | 'committed';
  /** sha256 of the file that was run */
  readonly digest: string;
  readonly before: Counts | null;
  readonly after: Counts | null;
};
type Facts = { readonly digest: string; readonly before: Counts; readonly after: Counts };

const digestOf = (files: PlanFiles, file: string): string => createHash('sha256').update(files.bytes(file)).digest('hex');

/** Hazards of the file block; those of its undo are shown, because an undo drops what the file made. */
async function hazardsOfBoth(spec: Spec, files: PlanFiles): Promise<readonly Finding[]> {
  const findings = [...(await hazards(files.text(spec.file), spec.file))];
  if (spec.undo === 'none') return findings;
  const ofUndo = await hazards(files.text(spec.undo), spec.undo);
  return [
    ...findings,
    ...ofUndo.map((f) =>
      ['sql-syntax', 'transaction-control', 'concurrently', 'outside-transaction', 'vacuum-full'].includes(f.code) ? f : { ...f, severity: 'note' as const },
    ),
  ];
}

const cannotUndo = (what: string): Finding =>
  warn('undo-none', `${what} cannot be undone: the plan says undo: none`, {
    hint: 'A rollback needs allow: keep-<step-id>, or the backup. Give an undo file if there is one.',
  });

/** The author's SQL, exactly once, under the row guard; undone by the author's undo file under the same guard. */
export const sql: Step<Spec, Receipt> = {
  schema: specSchema,

  describe: (spec) => ({
    title: `run ${spec.file}`,
    touches: [],
    schemas: [],
    anything: true,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: Object.values(spec.rows ?? {}).some((rule) => rule !== 'same'),
    undo: spec.undo === 'none' ? 'none' : 'exact',
  }),

  async preflight(cx, spec) {
    const facts = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (facts !== null)
      return { findings: [note('already-done', `${spec.file} has been run by this run and committed`, { object: spec.file })], done: true, counts: {} };
    const findings = [...accept(await hazardsOfBoth(spec, cx.files), cx.allow), ...(await unknownTables(cx, spec.rows ?? {}))];
    if (spec.undo === 'none') findings.push(cannotUndo(spec.file));
    return { findings, done: false, counts: {} };
  },

  async apply(cx, spec, receipt) {
    const digest = digestOf(cx.files, spec.file);
    await prepareMarkers(cx.db);
    const committed = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (committed !== null) {
      await receipt.save({ state: 'committed', ...committed });
      return;
    }
    await receipt.save({ state: 'started', digest, before: null, after: null });
    const text = cx.files.text(spec.file);
    cx.report({ type: 'sql', step: cx.stepId, text });
    const counts = await guarded(cx, {
      rules: spec.rows ?? {},
      work: (tx) => tx.script(text, { file: spec.file }),
      seal: (tx, before, after) => mark(tx, cx.run, cx.stepId, 'apply', { digest, before, after }),
    });
    await receipt.save({ state: 'committed', digest, ...counts });
  },

  async verify(cx, spec) {
    const facts = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (facts === null) {
      return {
        findings: [
          block('step-not-there', `${spec.file} is not marked as committed in this database`, { object: spec.file, hint: 'Undo the step and begin it again.' }),
        ],
        checks: [],
        tables: [],
        notCompared: [],
        rowsCompared: 0,
      };
    }
    return {
      findings: [],
      checks: [
        {
          name: `${spec.file} committed once`,
          criterion: 'other',
          expected: digestOf(cx.files, spec.file).slice(0, 12),
          actual: facts.digest.slice(0, 12),
          verdict: facts.digest === digestOf(cx.files, spec.file) ? 'pass' : 'fail',
        },
        {
          name: `${spec.file}: rows lost beyond the plan`,
          criterion: 'data',
          expected: '0',
          actual: `0 in ${String(facts.before.length)} tables`,
          verdict: 'pass',
        },
      ],
      tables: accounts(cx.stepId, facts.before, facts.after, spec.rows ?? {}, cx.plan),
      notCompared: [`values that ${spec.file} changed: the row guard counts rows, it does not read them`],
      rowsCompared: 0,
    };
  },

  async canUndo(cx, spec) {
    const facts = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (facts === null || cx.allow.has(`keep-${cx.stepId}`)) return [];
    return spec.undo === 'none' ? [noUndo(cx.stepId, spec.file)] : rowsSince(cx, spec, facts);
  },

  async undo(cx, spec, receipt) {
    if (receipt === null) return;
    const facts = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (facts === null) return;
    if (spec.undo === 'none' || cx.allow.has(`keep-${cx.stepId}`)) {
      cx.report({ type: 'found', finding: warn('undo-none', `${spec.file} is not undone: its effect is kept`, { step: cx.stepId, object: spec.file }) });
      return;
    }
    const file = spec.undo;
    const text = cx.files.text(file);
    cx.report({ type: 'sql', step: cx.stepId, text });
    await guarded(cx, {
      rules: wayBack(spec.rows),
      mayLose: addedBy(facts.before, facts.after),
      work: (tx) => tx.script(text, { file }),
      seal: (tx) => unmark(tx, cx.run, cx.stepId, 'apply'),
    });
    await forgetMarker(cx.db, cx.run, cx.stepId, 'apply');
  },

  watch: () => Promise.resolve(nothingToTend),
  canCleanup: () => Promise.resolve([]),
  retired: () => [],
  cleanup: (cx) => forgetMarker(cx.db, cx.run, cx.stepId, 'apply'),
};

/** Tables that the file made and its undo drops, with rows that others wrote since: the guard would roll the undo back, so it is said beforehand. */
async function rowsSince(cx: ReadContext, spec: Spec, facts: Facts): Promise<readonly Finding[]> {
  const made = facts.after.filter((a) => !facts.before.some((b) => b.schema === a.schema && b.name === a.name));
  const dropped = new Set((await hazards(cx.files.text(spec.undo), spec.undo)).filter((f) => f.code === 'drop-table').map((f) => f.object ?? ''));
  const now = await countRows(cx, cx.db, cx.plan);
  return made.flatMap((table): readonly Finding[] => {
    const object = display(table);
    const rows = (now.find((c) => c.schema === table.schema && c.name === table.name)?.rows ?? 0) - table.rows;
    const anyRows = Object.entries(spec.rows ?? {}).some(([written, rule]) => rule === 'any' && display(relation(written, cx.plan)) === object);
    if (rows <= 0 || anyRows || !(dropped.has(table.name) || dropped.has(object))) return [];
    return [
      block('undo-loses-rows', `${spec.undo} drops ${object}, in which ${String(rows)} rows were written since`, {
        object,
        count: rows,
        hint: `Move the rows elsewhere first, or roll back with allow: keep-${cx.stepId} to keep the table and undo the rest.`,
      }),
    ];
  });
}

const nothingToTend: Watched = { findings: [], drained: 0, backlog: 0, blocking: [], tables: [] };

const noUndo = (stepId: string, what: string): Finding =>
  block('undo-none', `${what} cannot be undone: the plan says undo: none`, {
    hint: `Roll back with allow: keep-${stepId} to keep its effect and undo the rest, or restore the backup.`,
  });

export const sqlReading: KindReading = {
  files: (spec) => {
    const { file, undo } = spec as Spec;
    return undo === 'none' ? [file] : [file, undo];
  },
  commands: () => [],
  touches: async (spec, files, plan) => {
    const { file, undo } = spec as Spec;
    const texts = undo === 'none' ? [file] : [file, undo];
    return (await Promise.all(texts.map((name) => changedRelations(files.text(name), name, plan)))).flat();
  },
  check: async (spec, files, at) => {
    const parsed = spec as Spec;
    const findings = await hazardsOfBoth(parsed, files);
    return parsed.undo === 'none' ? [...findings, { ...cannotUndo(parsed.file), at: at(['undo']) }] : findings;
  },
};
