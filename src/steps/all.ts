import { NotProved, toFailure } from '../errors.js';
import { blocking, type Finding, type Where } from '../finding.js';
import type { Holds, Journal, StepRow } from '../journal/journal.js';
import type { Relation, RunId } from '../names.js';
import type { Db } from '../pg/db.js';
import type { PlanFiles, PlanFrame } from '../plan/plan.js';
import type { Clock, Exec, Report } from '../ports.js';
import { scanner } from '../proof/mentions.js';
import { tableFacts } from '../retire/tables.js';
import type { Check, Doing, Section, TableAccount } from '../report/event.js';
import type { AnyStep, Budget, Json, ReadContext, StepContext } from './step.js';

/** One database that a run works on: its sessions and its journal. */
export interface Arena {
  readonly database: 'production' | 'development';
  readonly db: Db;
  /** read-only by the server's own setting; steps see it as ReadDb */
  readonly reader: Db;
  readonly journal: Journal;
}

/** Everything that the steps of one run share. */
export interface Work {
  readonly run: RunId;
  readonly kinds: Readonly<Record<string, AnyStep>>;
  readonly arenas: Readonly<Partial<Record<'production' | 'development', Arena>>>;
  readonly plan: PlanFrame;
  readonly files: PlanFiles;
  readonly budget: Budget;
  readonly allow: ReadonlySet<string>;
  /** step id → approved counts; null while rehearsing for the first time */
  readonly approved: Readonly<Record<string, Readonly<Record<string, number>>>> | null;
  readonly exec: Exec;
  readonly workingDirectory: string;
  /** until when what is retired now stays reversible, for the comments on it */
  readonly keepUntil: Date;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** how `command` steps get silence: synthetic writers paused on a clone, maintenance on a target */
  quiet<T>(work: (exclusive: boolean) => Promise<T>, guard?: 'clone-only'): Promise<T>;
}

/** A step of a run, from the plan before the journal has it and from the journal afterwards. */
export interface StepOfRun {
  readonly id: string;
  readonly kind: string;
  readonly database: 'production' | 'development';
  readonly spec: unknown;
  /** its place in the plan file, while there is one: for findings that have none of their own */
  readonly at?: Where;
}

const kindOf = (work: Work, step: StepOfRun): AnyStep => {
  const kind = work.kinds[step.kind];
  if (kind === undefined)
    throw new NotProved(`step ${step.id}: this version knows no kind "${step.kind}"`, { hint: 'Use the version of Lossless that began the run.' });
  return kind;
};

const arenaOf = (work: Work, step: StepOfRun): Arena => {
  const arena = work.arenas[step.database];
  if (arena === undefined) throw new NotProved(`step ${step.id}: no session for ${step.database}`, { hint: `Give ${step.database}-url.` });
  return arena;
};

function readContext(work: Work, step: StepOfRun): ReadContext {
  const { run, plan, files, budget, clock, report, signal, allow } = work;
  return {
    db: arenaOf(work, step).reader,
    stepId: step.id,
    run,
    plan,
    files,
    budget,
    clock,
    report,
    signal,
    allow,
    approved: work.approved?.[step.id] ?? null,
    sources: scanner(work.workingDirectory),
    workingDirectory: work.workingDirectory,
  };
}

function stepContext(work: Work, step: StepOfRun): StepContext {
  const arena = arenaOf(work, step);
  return {
    ...readContext(work, step),
    db: arena.db,
    exec: work.exec,
    workingDirectory: work.workingDirectory,
    keepUntil: work.keepUntil,
    quiet: (inner, guard) => work.quiet(inner, guard),
    past: () => arena.journal.past(step.kind, work.run),
  };
}

/** Runs `act` between step-started and step-ended; findings get the step's id. */
async function during<T>(work: Work, step: StepOfRun, doing: Doing, act: () => Promise<T>): Promise<T> {
  const started = Date.now();
  work.report({ type: 'step-started', step: step.id, doing, title: kindOf(work, step).describe(step.spec, work.plan).title });
  try {
    return await act();
  } finally {
    work.report({ type: 'step-ended', step: step.id, doing, ms: Date.now() - started });
  }
}

const named = (step: StepOfRun, findings: readonly Finding[]): readonly Finding[] =>
  findings.map((f) => ({ step: step.id, ...(step.at === undefined ? {} : { at: step.at }), ...f }));

/** Relations and schemas a step holds while its run is open. */
export function holdsOf(kinds: Readonly<Record<string, AnyStep>>, step: StepOfRun, plan: PlanFrame): Holds {
  const intent = kinds[step.kind]?.describe(step.spec, plan);
  const relations: readonly Relation[] = intent?.touches ?? [];
  return { relations, schemas: intent?.schemas ?? [], anything: intent?.anything ?? true };
}

export interface PreflightAll {
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly done: readonly string[];
}

export async function preflightAll(work: Work, steps: readonly StepOfRun[]): Promise<PreflightAll> {
  const findings: Finding[] = [];
  const counts: Record<string, Readonly<Record<string, number>>> = {};
  const done: string[] = [];
  for (const step of steps) {
    const result = await during(work, step, 'preflight', () => kindOf(work, step).preflight(readContext(work, step), step.spec));
    for (const finding of named(step, result.findings)) {
      findings.push(finding);
      work.report({ type: 'found', finding });
    }
    counts[step.id] = result.counts;
    if (result.done) done.push(step.id);
  }
  return { findings, counts, done };
}

export interface Proof {
  readonly findings: readonly Finding[];
  readonly checks: readonly Check[];
  readonly tables: readonly TableAccount[];
  readonly notCompared: readonly string[];
  readonly rowsCompared: number;
  readonly sections: readonly Section[];
}

const emptyProof: Proof = { findings: [], checks: [], tables: [], notCompared: [], rowsCompared: 0, sections: [] };

const both = (a: Proof, b: Proof): Proof => ({
  findings: [...a.findings, ...b.findings],
  checks: [...a.checks, ...b.checks],
  tables: [...a.tables, ...b.tables],
  notCompared: [...a.notCompared, ...b.notCompared],
  rowsCompared: a.rowsCompared + b.rowsCompared,
  sections: [...a.sections, ...b.sections],
});

/**
 * Applies and verifies every step in order, continuing where the journal says a former process stopped. A step that failed before
 * starts anew: it is undone first (a failed verification stays failed: spirit PR#882).
 * Errors: whatever the step threw, or NotProved; the caller decides about undo.
 */
export async function applyAll(work: Work, steps: readonly StepOfRun[]): Promise<Proof> {
  let proof = emptyProof;
  for (const step of steps) {
    const { journal } = arenaOf(work, step);
    const kind = kindOf(work, step);
    const row = await rowOf(journal, work.run, step);
    if (row.state === 'failed' || row.state === 'undoing' || row.state === 'undone') {
      if (row.state !== 'undone') await undoOne(work, row);
      await journal.forgetReceipt(work.run, step.id);
    }
    const slot = journal.slot(work.run, step.id, row.state === 'failed' || row.state === 'undoing' || row.state === 'undone' ? null : row.receipt);
    if (row.state !== 'applied' && row.state !== 'verified') {
      await journal.stepState(work.run, step.id, 'applying');
      await during(work, step, 'apply', () => kind.apply(stepContext(work, step), step.spec, slot));
      await journal.stepState(work.run, step.id, 'applied');
    }
    const verified = await verifyOne(work, step, slot.last);
    proof = both(proof, verified);
    const wrong = blocking(verified.findings);
    const failedChecks = verified.checks.filter((c) => c.verdict === 'fail' || c.verdict === 'aborted');
    if (wrong.length > 0 || failedChecks.length > 0) {
      const text = [...wrong.map((f) => f.message), ...failedChecks.map((c) => `${c.name}: expected ${c.expected}, found ${c.actual}`)].join('; ');
      await journal.stepState(work.run, step.id, 'failed', text);
      throw new NotProved(`step ${step.id} could not be verified: ${text}`, {
        hint: 'The step counts as failed. Read the findings, correct the plan or the data, and begin again.',
      });
    }
    await journal.stepState(work.run, step.id, 'verified');
  }
  return proof;
}

async function verifyOne(work: Work, step: StepOfRun, receipt: Json): Promise<Proof> {
  const verified = await during(work, step, 'verify', () => kindOf(work, step).verify(readContext(work, step), step.spec, receipt));
  const findings = named(step, verified.findings);
  for (const finding of findings) work.report({ type: 'found', finding });
  return { sections: [], ...verified, findings };
}

const rowOf = async (journal: Journal, run: RunId, step: StepOfRun): Promise<StepRow> => {
  const row = (await journal.steps(run)).find((r) => r.id === step.id);
  if (row === undefined) throw new NotProved(`step ${step.id} is not in the journal of run ${run}`);
  return row;
};

/** What would stop an undo, or lose something in it, now. */
export async function canUndoAll(work: Work, rows: readonly StepRow[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const row of rows) {
    if (row.receipt === null || row.state === 'undone' || row.state === 'planned') continue;
    findings.push(...named(row, await kindOf(work, row).canUndo(readContext(work, row), row.spec, row.receipt)));
  }
  return findings;
}

async function undoOne(work: Work, row: StepRow): Promise<void> {
  const { journal } = arenaOf(work, row);
  await journal.stepState(work.run, row.id, 'undoing', row.failure);
  await during(work, row, 'undo', () => kindOf(work, row).undo(stepContext(work, row), row.spec, row.receipt, journal.slot(work.run, row.id, row.receipt)));
  await journal.stepState(work.run, row.id, 'undone', row.failure);
}

/** Undoes every step that was begun, last first, over all databases. Stops at the first that fails: the ones before it must not be undone under it. */
export async function undoAll(work: Work, rows: readonly StepRow[]): Promise<void> {
  for (const row of [...rows].sort((a, b) => b.no - a.no)) {
    if (row.state === 'planned' || row.state === 'undone' || row.state === 'cleaned') continue;
    await undoOne(work, row);
  }
}

/** The failure that broke a run and, if the undo failed too, both. */
export async function undoAfter(work: Work, rows: readonly StepRow[], thrown: unknown): Promise<{ readonly undone: boolean; readonly failure: unknown }> {
  try {
    await undoAll(work, rows);
    return { undone: true, failure: thrown };
  } catch (error) {
    return {
      undone: false,
      failure: new AggregateError([toFailure(thrown), toFailure(error)], `${toFailure(thrown).message}; and the undo failed too: ${toFailure(error).message}`),
    };
  }
}

export interface WatchAll {
  readonly findings: readonly Finding[];
  readonly blocking: readonly Finding[];
  readonly drained: number;
  readonly backlog: number;
  readonly tables: readonly TableAccount[];
}

export async function watchAll(work: Work, rows: readonly StepRow[]): Promise<WatchAll> {
  const all = { findings: [] as Finding[], blocking: [] as Finding[], drained: 0, backlog: 0, tables: [] as TableAccount[] };
  for (const row of rows) {
    if (row.receipt === null || (row.state !== 'verified' && row.state !== 'applied')) continue;
    const seen = await during(work, row, 'watch', () => kindOf(work, row).watch(stepContext(work, row), row.spec, row.receipt));
    all.findings.push(...named(row, seen.findings));
    all.blocking.push(...named(row, seen.blocking));
    all.tables.push(...seen.tables);
    all.drained += seen.drained;
    all.backlog += seen.backlog;
  }
  return all;
}

/** Tables with rows that cleanup will drop, per database. */
export function retiredAll(work: Work, rows: readonly StepRow[]): readonly { readonly row: StepRow; readonly relation: Relation }[] {
  return rows.flatMap((row) =>
    row.receipt === null || row.state === 'cleaned'
      ? []
      : kindOf(work, row)
          .retired(row.spec, row.receipt)
          .map((relation) => ({ row, relation })),
  );
}

/**
 * Those of them that are still there: a cleanup that was interrupted dropped some, and a later run of the same migrations may have
 * taken back what a rollback kept. Whether one is missing wrongly is for canCleanup to say.
 */
export async function retiredNow(work: Work, rows: readonly StepRow[]): Promise<readonly { readonly row: StepRow; readonly relation: Relation }[]> {
  const there: { readonly row: StepRow; readonly relation: Relation }[] = [];
  for (const entry of retiredAll(work, rows)) {
    const [facts] = await tableFacts(arenaOf(work, entry.row).reader, [entry.relation]);
    if (facts !== null && facts !== undefined) there.push(entry);
  }
  return there;
}

/** Whole schemas of one database that cleanup will drop and that are still there; their definitions are archived too. */
export async function retiredSchemasNow(work: Work, rows: readonly StepRow[], database: 'production' | 'development'): Promise<readonly string[]> {
  const there: string[] = [];
  for (const row of rows) {
    if (row.database !== database || row.receipt === null || row.state === 'cleaned') continue;
    for (const schema of kindOf(work, row).retiredSchemas?.(row.spec, row.receipt) ?? []) {
      const { found } = await arenaOf(work, row).reader.one<{ found: boolean }>('retire/contents-of-schema', { values: [schema] });
      if (found) there.push(schema);
    }
  }
  return there;
}

export async function canCleanupAll(work: Work, rows: readonly StepRow[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const row of rows) {
    if (row.receipt === null || row.state === 'cleaned') continue;
    findings.push(...named(row, await kindOf(work, row).canCleanup(readContext(work, row), row.spec, row.receipt)));
  }
  return findings;
}

/** Drops what each step kept. The only function that destroys what an undo needs. */
export async function cleanupAll(work: Work, rows: readonly StepRow[]): Promise<void> {
  for (const row of [...rows].sort((a, b) => b.no - a.no)) {
    if (row.state === 'cleaned' || row.receipt === null) continue;
    const { journal } = arenaOf(work, row);
    await journal.stepState(work.run, row.id, 'cleaning');
    await during(work, row, 'cleanup', () => kindOf(work, row).cleanup(stepContext(work, row), row.spec, row.receipt));
    await journal.stepState(work.run, row.id, 'cleaned');
  }
}
