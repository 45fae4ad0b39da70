import { NotProved, toFailure, type Failure } from '../errors.js';
import { block, blocking, note, warn, type Finding } from '../finding.js';
import { Journal, newRunId } from '../journal/journal.js';
import { display, type Relation } from '../names.js';
import type { Target } from '../pg/connect.js';
import type { Db } from '../pg/db.js';
import type { Sql } from '../pg/render.js';
import { accept } from '../plan/hazards.js';
import type { Plan } from '../plan/plan.js';
import { contents, contentsDiffer, tablesIn, type Contents } from '../proof/contents.js';
import { probeRow } from '../proof/crud.js';
import { compareWorkload, runQueries, timeWorkload } from '../proof/workload.js';
import { startWriters, type SyntheticWriters, type WriterSummary, type WriterTable } from '../proof/writers.js';
import type { Check, Section, TableAccount } from '../report/event.js';
import { applyAll, canCleanupAll, cleanupAll, holdsOf, preflightAll, undoAll, type Arena, type Proof, type StepOfRun, type Work } from '../steps/all.js';
import { kindNamed, steps as kinds } from '../steps/index.js';
import { schemaDump } from '../backup/schema-dump.js';
import { restoredClone } from './restored-clone.js';
import { databasesOf, plural, workOf, type RealDatabase } from './arenas.js';
import { binding, putEvidence, type Rehearsal } from './evidence.js';
import { runText, workingDirectoryOf } from './maintenance.js';
import type { Phase, PhaseContext, PhaseResult } from './phase.js';
import { refuseIfBlocked, requirePlan } from './refusal.js';
import { sweep } from './sweep.js';

const workloadRounds = 5;

/** The database's state as an undo must restore it. */
interface State {
  readonly schema: string;
  readonly contents: readonly Contents[];
}

/** One clone that the rehearsal works on. */
interface Stage {
  readonly name: RealDatabase;
  readonly target: Target;
  readonly backupId: string;
  readonly backupAt: string;
  readonly fingerprint: string;
}

/**
 * The contract test of the whole plan, on verified clones: preflight, apply under synthetic writers, verify, undo, proved equal to the
 * start, apply again, verify, the application's own test, a cleanup leg. What it leaves is the evidence that an approver reads.
 */
export const rehearse: Phase = {
  name: 'rehearse',
  needsPlan: true,
  needs: () => [],
  writes: 'staging',
  async run(cx) {
    const plan = requirePlan(cx);
    refuseIfBlocked(accept(plan.findings, cx.settings.allow));
    return onClones(cx, plan, databasesOf(plan), [], (stages) => rehearseOn(cx, plan, stages));
  },
};

/** Restores one clone after the other, all alive while `work` runs. */
async function onClones<T>(
  cx: PhaseContext,
  plan: Plan,
  left: readonly RealDatabase[],
  stages: readonly Stage[],
  work: (stages: readonly Stage[]) => Promise<T>,
): Promise<T> {
  const [name, ...rest] = left;
  if (name === undefined) return work(stages);
  return restoredClone(cx, name, (target, manifest) =>
    onClones(cx, plan, rest, [...stages, { name, target, backupId: manifest.backupId, backupAt: manifest.at, fingerprint: manifest.schemaFingerprint }], work),
  );
}

interface Leg {
  readonly name: string;
  readonly ms: number;
  readonly outcome: string;
}

async function rehearseOn(cx: PhaseContext, plan: Plan, stages: readonly Stage[]): Promise<PhaseResult> {
  const legs: Leg[] = [];
  const leg = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    const started = Date.now();
    cx.report({ type: 'said', text: `rehearsal: ${name}` });
    try {
      const result = await act();
      legs.push({ name, ms: Date.now() - started, outcome: 'passed' });
      return result;
    } catch (error) {
      legs.push({ name, ms: Date.now() - started, outcome: toFailure(error).message });
      throw error;
    }
  };
  const locks: number[] = [];
  const watched: PhaseContext = {
    ...cx,
    report: (event) => {
      if (event.type === 'lock-held') locks.push(event.ms);
      cx.report(event);
    },
  };
  const facts = {
    findings: [] as Finding[],
    checks: [] as Check[],
    tables: [] as readonly TableAccount[],
    notCompared: [] as string[],
    rowsCompared: 0,
    approved: {} as Rehearsal['approved'],
    sections: [] as readonly Section[],
  };
  let failure: Failure | null = null;
  try {
    await allLegs(watched, plan, stages, leg, facts);
    const longest = Math.max(0, ...locks);
    const budget = cx.settings.maxLockMs ?? plan.maxLockMs;
    facts.checks.push({
      name: 'longest lock that blocks writers',
      criterion: 'performance',
      expected: `at most ${String(budget)} ms`,
      actual: locks.length === 0 ? 'no lock was taken' : `${String(Math.ceil(longest))} ms`,
      verdict: locks.length === 0 ? 'not-measured' : longest <= budget ? 'pass' : 'fail',
    });
  } catch (error) {
    failure = toFailure(error);
    if (failure.fault === 'aborted') throw failure;
  }
  const failedChecks = facts.checks.filter((c) => c.verdict === 'fail' || c.verdict === 'aborted');
  const passed = failure === null && failedChecks.length === 0;
  const databases = Object.fromEntries(stages.map((s) => [s.name, { fingerprint: s.fingerprint, backupId: s.backupId }]));
  const evidence: Rehearsal = {
    ...binding(cx, plan),
    kind: 'rehearsal',
    outcome: passed ? 'passed' : 'failed',
    databases,
    approved: facts.approved,
    longestLockMs: locks.length === 0 ? null : Math.max(...locks),
    backupAt: stages[0]?.backupAt ?? '',
    legs,
  };
  const id = await putEvidence(cx, 'production', 'rehearsal.json', evidence);
  // a refusal keeps its findings, and takes back what an older rehearsal of this plan allowed
  if (failure?.fault === 'user') throw failure;
  const quarantined = facts.tables.reduce((n, t) => n + t.quarantined, 0);
  if (failure !== null) facts.findings.push(block('rehearsal-failed', failure.message, failure.more.hint === undefined ? {} : { hint: failure.more.hint }));
  return {
    outcome: passed ? 'passed' : 'failed',
    sentence: passed
      ? `plan ${plan.id} was applied, undone, proved equal to the start, applied again and cleaned up on verified clones, under writers; ${String(quarantined)} rows set aside`
      : `the rehearsal failed in "${legs.findLast((l) => l.outcome !== 'passed')?.name ?? 'checks'}": ${failure?.message ?? failedChecks.map((c) => `${c.name}: ${c.actual}`).join('; ')}`,
    findings: facts.findings,
    checks: facts.checks,
    tables: facts.tables,
    notCompared: facts.notCompared,
    sections: [{ title: 'Legs of the rehearsal', head: ['leg', 'ms', 'outcome'], rows: legs.map((l) => [l.name, String(l.ms), l.outcome]) }, ...facts.sections],
    rollback: { possible: passed, until: null, rehearsed: id, backlog: 0, blockedBy: [] },
    outputs: {
      'rehearsal-id': id,
      'backup-id': databases['production']?.backupId ?? '',
      'schema-fingerprint': databases['production']?.fingerprint ?? '',
      'rows-compared': String(facts.rowsCompared),
      'rows-quarantined': String(quarantined),
    },
    next: passed
      ? [{ who: 'a reviewer', what: `reads this page and approves plan ${plan.id}` }]
      : [{ who: 'a maintainer', what: 'corrects the plan and rehearses again; production was not touched' }],
  };
}

interface Facts {
  findings: Finding[];
  checks: Check[];
  tables: readonly TableAccount[];
  notCompared: string[];
  rowsCompared: number;
  approved: Rehearsal['approved'];
  sections: readonly Section[];
}

async function allLegs(
  cx: PhaseContext,
  plan: Plan,
  stages: readonly Stage[],
  leg: <T>(name: string, act: () => Promise<T>) => Promise<T>,
  facts: Facts,
): Promise<void> {
  const steps: readonly StepOfRun[] = plan.steps.map((s) => ({ id: s.id, kind: s.kind, database: s.on, spec: s.spec, at: s.at }));
  const production = stageOf(stages, 'production');
  const journals = new Map<RealDatabase, Journal>();
  const journalDbs = new Map<RealDatabase, Db>();
  for (const s of stages) {
    const db = await cx.open(s.target, 'worker', 'lossless journal');
    journalDbs.set(s.name, db);
    const journal = new Journal(db, cx.clock, cx.report);
    await journal.create();
    journals.set(s.name, journal);
  }
  let writers: SyntheticWriters | null = null;
  const begin = async (approved: Work['approved']): Promise<Work> => {
    const run = newRunId();
    const arenas: Partial<Record<RealDatabase, Arena>> = {};
    for (const s of stages) {
      const journal = journals.get(s.name);
      if (journal === undefined) continue;
      arenas[s.name] = {
        database: s.name,
        journal,
        db: await cx.open(s.target, 'worker', `lossless ${run}`),
        reader: await cx.open(s.target, 'reader', `lossless ${run} reader`),
      };
      const own = steps
        .map((x, i) => ({ no: i + 1, id: x.id, kind: x.kind, database: x.database, spec: x.spec as never, holds: holdsOf(kinds, x, plan) }))
        .filter((x) => x.database === s.name);
      const b = binding(cx, plan);
      await journal.begin(
        {
          id: run,
          database: s.name,
          databases: stages.map((x) => x.name),
          planName: plan.name,
          planDigest: plan.digest,
          planFile: plan.file,
          fingerprint: s.fingerprint,
          allow: b.allow,
          maxLockMs: b.maxLockMs,
          retentionMs: plan.retentionMs,
          approved: approved ?? {},
          toolVersion: cx.toolVersion,
          actor: cx.invocation.actor,
          commit: cx.invocation.commit,
          workflowRun: cx.invocation.run,
        },
        own,
        {},
        new Map(),
      );
    }
    return workOf(cx, {
      run,
      plan,
      arenas,
      approved,
      allow: cx.settings.allow,
      maxLockMs: cx.settings.maxLockMs ?? plan.maxLockMs,
      workingDirectory: workingDirectoryOf(cx, plan),
      quiet: async (inner) => {
        await writers?.pause();
        try {
          return await inner(true);
        } finally {
          writers?.resume();
        }
      },
    });
  };
  const rowsOfRun = async (work: Work) => (await Promise.all([...journals.values()].map((j) => j.steps(work.run)))).flat().sort((a, b) => a.no - b.no);
  const setState = async (work: Work, state: 'migrated' | 'rolled-back' | 'cleaned'): Promise<void> => {
    for (const j of journals.values()) await j.runState(work.run, state);
  };

  const start = await leg('state before', () => states(cx, stages, plan));
  const first = await begin(null);
  const preflight = await leg('preflight', () => preflightAll(first, steps));
  facts.findings.push(...preflight.findings);
  refuseIfBlocked(preflight.findings);
  facts.approved = preflight.counts;
  const approvedWork: Work = { ...first, approved: preflight.counts };
  const before =
    plan.verify.workload.length === 0
      ? []
      : await leg('workload before', async () => timeWorkload(await cx.open(production.target, 'reader'), plan.verify.workload, workloadRounds, plan.schemas));

  const running = await leg('synthetic writers start', () => writersFor(cx, plan, stages, steps));
  writers = running;
  let proof: Proof;
  try {
    proof = await leg('apply and verify, under writers', () => applyAll(approvedWork, steps));
    facts.checks.push(...(await leg('verify queries', async () => runQueries(await cx.open(production.target, 'reader'), plan.verify.queries, plan.schemas))));
    await leg('undo, under writers', async () => undoAll(approvedWork, await rowsOfRun(approvedWork)));
  } finally {
    facts.checks.push(...writerChecks(await running.stop(), facts, 'through migration and undo'));
    writers = null;
  }
  await setState(approvedWork, 'rolled-back');
  await leg('equal to the start', async () => {
    const differences = compareStates(start, await states(cx, stages, plan));
    if (differences.length > 0) {
      facts.findings.push(...differences);
      throw new NotProved(`after the undo ${plural(differences.length, 'difference')} to the start: ${differences.map((d) => d.message).join('; ')}`, {
        hint: 'This plan cannot be undone exactly. Correct the step that the findings name.',
      });
    }
  });
  facts.checks.push({
    name: 'rollback rehearsed: schema, counts, checksums and sequences as at the start',
    criterion: 'data',
    expected: 'equal',
    actual: 'equal',
    verdict: 'pass',
  });

  const second = await begin(preflight.counts);
  proof = await leg('apply again and verify', () => applyAll(second, steps));
  facts.tables = proof.tables;
  facts.checks.push(...proof.checks);
  facts.findings.push(...proof.findings);
  facts.sections = proof.sections;
  facts.notCompared.push(...proof.notCompared);
  facts.rowsCompared = proof.rowsCompared;
  await setState(second, 'migrated');
  if (before.length > 0) {
    const after = await leg('workload after', async () =>
      timeWorkload(await cx.open(production.target, 'reader'), plan.verify.workload, workloadRounds, plan.schemas),
    );
    facts.checks.push(...compareWorkload(before, after, plan.verify.workload));
  }
  facts.checks.push(...(await leg('insert, read, update and delete a row of every touched table', () => probeAll(cx, stages, plan, steps))));
  const { test } = plan.verify;
  if (test !== null) {
    await leg('application test', () =>
      runText({ exec: cx.exec, report: cx.report, cwd: workingDirectoryOf(cx, plan), env: production.target.env }, 'application test', test, cx.signal),
    );
    facts.checks.push({ name: 'application test', criterion: 'application', expected: 'exit 0', actual: 'exit 0', verdict: 'pass' });
  }
  await leg('cleanup', async () => {
    for (const work of [approvedWork, second]) {
      const rows = await rowsOfRun(work);
      // nobody but the rehearsal itself reads the clone's retired tables
      const inTheWay = blocking(await canCleanupAll({ ...work, allow: new Set([...work.allow, 'retired-in-use']) }, rows));
      if (inTheWay.length > 0) throw new NotProved(`cleanup would be refused: ${inTheWay.map((f) => f.message).join('; ')}`);
      await cleanupAll(work, rows);
      await setState(work, 'cleaned');
    }
    for (const s of stages) {
      const journal = journals.get(s.name);
      const journalDb = journalDbs.get(s.name);
      if (journal === undefined || journalDb === undefined) continue;
      const left = await sweep({ name: s.name, target: s.target, journal, journalDb, lockDb: journalDb });
      if (left.length > 0) throw new NotProved(`after cleanup something of ours is left: ${left.map((f) => f.object ?? '').join(', ')}`);
    }
  });
}

const stageOf = (stages: readonly Stage[], name: RealDatabase): Stage => {
  const stage = stages.find((s) => s.name === name);
  if (stage === undefined) throw new NotProved(`no clone of ${name}`);
  return stage;
};

async function states(cx: PhaseContext, stages: readonly Stage[], plan: Plan): Promise<ReadonlyMap<RealDatabase, State>> {
  const found = new Map<RealDatabase, State>();
  for (const s of stages) {
    const reader = await cx.open(s.target, 'reader');
    const rows = await reader.transaction(async (tx) => contents(tx, await tablesIn(tx, s.name === 'production' ? plan.schemas : null)), {
      isolation: 'repeatable read',
      readOnly: true,
    });
    found.set(s.name, { schema: await schemaDump(cx, s.target, reader.version), contents: rows });
  }
  return found;
}

function compareStates(start: ReadonlyMap<RealDatabase, State>, now: ReadonlyMap<RealDatabase, State>): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [name, before] of start) {
    const after = now.get(name);
    if (after === undefined) continue;
    const lines = new Set(before.schema.split('\n'));
    const other = new Set(after.schema.split('\n'));
    const changed = [...[...lines].filter((l) => !other.has(l)).map((l) => `- ${l}`), ...[...other].filter((l) => !lines.has(l)).map((l) => `+ ${l}`)];
    if (before.schema !== after.schema)
      findings.push(
        block('not-equal-after-undo', `the schema of ${name} differs: ${changed.slice(0, 20).join(' | ') || 'order of objects'}`, { object: name }),
      );
    for (const d of contentsDiffer(before.contents, after.contents))
      findings.push(block('not-equal-after-undo', `${display(d.relation)}: ${d.what}`, { object: display(d.relation) }));
  }
  return findings;
}

/** Writers on every table that a step touches and that existed at the start; only rows that fit the plan are copied, so that the approved counts stay true. */
async function writersFor(cx: PhaseContext, plan: Plan, stages: readonly Stage[], steps: readonly StepOfRun[]): Promise<SyntheticWriters> {
  const parts: SyntheticWriters[] = [];
  for (const s of stages) {
    const tables = new Map<string, WriterTable>();
    const reader = await cx.open(s.target, 'reader');
    const there = new Set((await tablesIn(reader, null)).map(display));
    for (const step of steps.filter((x) => x.database === s.name)) {
      const kind = kindNamed(step.kind);
      if (kind === undefined) continue;
      const intent = kind.describe(step.spec, plan);
      if (intent.undo === 'nothing-to-undo') continue;
      const fits = new Map(
        (kind.fits === undefined ? [] : await kind.fits(reader, step.spec, plan)).map((f: { relation: Relation; condition: Sql }) => [
          display(f.relation),
          f.condition,
        ]),
      );
      for (const relation of intent.touches) {
        const name = display(relation);
        if (!there.has(name) || kind.writable?.(step.spec, plan, relation) === false) continue;
        const condition = fits.get(name);
        tables.set(name, { relation, ...(condition === undefined ? {} : { fit: condition }) });
      }
    }
    parts.push(await startWriters(() => cx.open(s.target, 'command', 'lossless synthetic writer'), [...tables.values()], cx.clock, cx.signal));
  }
  return {
    pause: async () => {
      await Promise.all(parts.map((p) => p.pause()));
    },
    resume: () => parts.forEach((p) => p.resume()),
    check: async () => (await Promise.all(parts.map((p) => p.check()))).flat(),
    stop: async () => {
      const all = await Promise.all(parts.map((p) => p.stop()));
      const errors: Record<string, number> = {};
      for (const s of all) for (const [state, n] of Object.entries(s.errors)) errors[state] = (errors[state] ?? 0) + n;
      return {
        acknowledged: all.reduce((n, s) => n + s.acknowledged, 0),
        lost: all.flatMap((s) => s.lost),
        errors,
        longestMs: Math.max(0, ...all.map((s) => s.longestMs)),
        unwritten: all.flatMap((s) => s.unwritten),
      };
    },
  };
}

/** What a cut-over may cost a writer: 40001 once, the keys that a plan adds, a lock that our own writers' short lock_timeout gave up on. */
const fairErrors = new Set(['40001', '23503', '55P03']);

function writerChecks(summary: WriterSummary, facts: Facts, when: string): readonly Check[] {
  const unfair = Object.entries(summary.errors).filter(([state]) => !fairErrors.has(state));
  facts.notCompared.push(...summary.unwritten.map((u) => `no synthetic writes on ${u}`));
  facts.findings.push(
    ...Object.entries(summary.errors).map(([state, n]) =>
      (fairErrors.has(state) ? note : warn)('writer-errors', `synthetic writers got ${state} ${plural(n, 'time')} ${when}`, { count: n }),
    ),
  );
  return [
    {
      name: `acknowledged writes found again ${when}`,
      criterion: 'data',
      expected: `all of ${String(summary.acknowledged)}`,
      actual:
        summary.lost.length === 0
          ? summary.acknowledged === 0
            ? 'nothing was written'
            : `all of ${String(summary.acknowledged)}`
          : `${String(summary.lost.length)} lost: ${summary.lost.slice(0, 10).join('; ')}`,
      verdict: summary.lost.length > 0 ? 'fail' : summary.acknowledged === 0 ? 'not-measured' : 'pass',
    },
    {
      name: `writers' errors ${when}`,
      criterion: 'application',
      expected: 'only retryable ones',
      actual:
        Object.keys(summary.errors).length === 0
          ? 'none'
          : Object.entries(summary.errors)
              .map(([s, n]) => `${s} × ${String(n)}`)
              .join(', '),
      verdict: unfair.length > 0 ? 'fail' : summary.acknowledged === 0 ? 'not-measured' : 'pass',
    },
  ];
}

async function probeAll(cx: PhaseContext, stages: readonly Stage[], plan: Plan, steps: readonly StepOfRun[]): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const s of stages) {
    const db = await cx.open(s.target, 'worker');
    const there = new Set((await tablesIn(db, null)).map(display));
    const touched = new Map(
      steps.filter((x) => x.database === s.name).flatMap((x) => (kindNamed(x.kind)?.describe(x.spec, plan).touches ?? []).map((r) => [display(r), r] as const)),
    );
    for (const [name, relation] of touched) if (there.has(name)) checks.push(await probeRow(db, relation));
  }
  return checks;
}
