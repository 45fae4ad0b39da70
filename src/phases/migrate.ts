import { basename, join } from 'node:path';
import { Aborted, NotProved, toFailure } from '../errors.js';
import { block, note, type Finding } from '../finding.js';
import { Journal, newRunId, type RunRow, type StepRow } from '../journal/journal.js';
import type { RunId } from '../names.js';
import { accept } from '../plan/hazards.js';
import type { Plan } from '../plan/plan.js';
import type { Check } from '../report/event.js';
import { runQueries } from '../proof/workload.js';
import { applyAll, holdsOf, preflightAll, undoAfter, type Proof, type StepOfRun, type Work } from '../steps/all.js';
import { steps as kinds } from '../steps/index.js';
import { databasesOf, lockDatabases, openArenas, plural, rowsOf, setRunState, targetOf, workOf, type Locked } from './arenas.js';
import { approvalShape, binding, findEvidence, rehearsalShape, type Rehearsal } from './evidence.js';
import { finalBackup } from './final-backup.js';
import { heldBy } from './held.js';
import { humanGate } from './human-gate.js';
import { maintenanceOff, maintenanceOffLeftOn, maintenanceOn, runText, workingDirectoryOf, type Commands } from './maintenance.js';
import type { Phase, PhaseContext, PhaseResult } from './phase.js';
import { planEntry } from './plan-of-run.js';
import { refuseIfBlocked, Refusal, requirePlan } from './refusal.js';
import { schemaFingerprint } from './schema-fingerprint.js';
import { deployEvidence, startOf, wasDeployed, type Start } from './start.js';

/**
 * Changes the target. Everything that was bound together is checked again first; the journal has the run whole before its first act;
 * a failed step, query or deploy undoes all; a cancelled or killed run undoes nothing and is continued by the next call.
 */
export const migrate: Phase = {
  name: 'migrate',
  needsPlan: true,
  needs: (plan) => ['production-url', ...(plan !== null && databasesOf(plan).includes('development') ? (['development-url'] as const) : [])],
  writes: 'target',
  async run(cx) {
    const plan = requirePlan(cx);
    const locked = await lockDatabases(cx, databasesOf(plan));
    await maintenanceOffLeftOn(cx, locked);
    const runs = (await Promise.all(locked.map((l) => l.journal.runs()))).flat();
    const same = runs.find((r) => r.planDigest === plan.digest && ['migrating', 'migrated', 'failed', 'rolling-back'].includes(r.state));
    if (same?.state === 'migrated') return alreadyMigrated(same);
    if (same !== undefined && same.state !== 'migrating') {
      throw new Refusal([
        block('run-unfinished', `run ${same.id} of this plan is ${same.state}${same.failure === null ? '' : `: ${same.failure}`}`, {
          object: same.id,
          hint: `Run phase rollback with confirm = ${same.id} first.`,
        }),
      ]);
    }
    const rehearsal = await findEvidence(cx, plan, 'production', 'rehearsal.json', rehearsalShape, 'rehearse');
    const approval = await findEvidence(cx, plan, 'production', 'approval.json', approvalShape, 'gate');
    if (approval.body.rehearsalId !== rehearsal.id) {
      throw new Refusal([
        block('rehearsal-changed', `approved was rehearsal ${approval.body.rehearsalId}, the newest is ${rehearsal.id}`, {
          object: approval.name,
          hint: 'Have the newest rehearsal approved: run phase gate again.',
        }),
      ]);
    }
    const human = await humanGate(cx, plan);
    const run = same?.id ?? newRunId();
    const arenas = await openArenas(cx, locked, run);
    const workingDirectory = workingDirectoryOf(cx, plan);
    let underMaintenance = false;
    const work = workOf(cx, {
      run,
      plan,
      arenas,
      approved: rehearsal.body.approved,
      allow: cx.settings.allow,
      maxLockMs: cx.settings.maxLockMs ?? plan.maxLockMs,
      workingDirectory,
      quiet: (inner, guard) => inner(underMaintenance && guard !== 'clone-only'),
    });
    refuseIfBlocked(accept(plan.findings, cx.settings.allow));
    const steps: readonly StepOfRun[] = plan.steps.map((s) => ({ id: s.id, kind: s.kind, database: s.on, spec: s.spec, at: s.at }));
    const findings: Finding[] = [note('approved-by', `approved by ${human.by.join(', ')}`)];

    if (same === undefined) {
      refuseIfBlocked(await heldBy(locked, work, steps));
      await requireSameSchema(cx, locked, plan, rehearsal.body);
      const preflight = await preflightAll(work, steps);
      findings.push(...preflight.findings);
      refuseIfBlocked(preflight.findings);
      refuseIfBlocked(aboveApproved(preflight.counts, rehearsal.body.approved));
      const backups = await finalBackup(cx, plan, locked, rehearsal.body);
      findings.push(...backups.findings);
      const evidence = { rehearsal: rehearsal.body, approval: approval.body };
      const files = new Map([[planEntry, Buffer.from(plan.source)], ...plan.files.names.map((name) => [name, plan.files.bytes(name)] as const)]);
      // the backup may have taken hours
      await requireSameSchema(cx, locked, plan, rehearsal.body);
      const starts = new Map<Locked, Start>();
      for (const l of locked) {
        await l.journal.create();
        starts.set(l, await startOf(arenas, l.name, plan));
      }
      for (const l of locked) {
        const own = steps
          .map((s, i) => ({ no: i + 1, id: s.id, kind: s.kind, database: s.database, spec: s.spec as StepRow['spec'], holds: holdsOf(kinds, s, plan) }))
          .filter((s) => s.database === l.name);
        await l.journal.begin(
          {
            id: run,
            database: l.name,
            databases: locked.map((x) => x.name),
            planName: plan.name,
            planDigest: plan.digest,
            planFile: join(plan.dir, basename(plan.file)),
            fingerprint: rehearsal.body.databases[l.name]?.fingerprint ?? '',
            allow: binding(cx, plan).allow,
            maxLockMs: work.budget.maxLockMs,
            retentionMs: plan.retentionMs,
            approved: rehearsal.body.approved,
            toolVersion: cx.toolVersion,
            actor: cx.invocation.actor,
            commit: cx.invocation.commit,
            workflowRun: cx.invocation.run,
          },
          own,
          { ...evidence, start: starts.get(l) ?? null, 'final backup': backups.taken[l.name] ?? null },
          files,
        );
      }
    } else {
      cx.report({ type: 'said', text: `continuing run ${run}, begun ${same.startedAt}` });
      await completeBegin(locked, run);
    }

    const production = targetOf(cx, 'production');
    const commands: Commands = { exec: cx.exec, report: cx.report, cwd: workingDirectory, env: production.env };
    const journals = locked.map((l) => l.journal);
    const off = async (): Promise<void> => {
      if (plan.maintenance !== null && underMaintenance) await maintenanceOff(journals, run, plan.maintenance.off, commands, cx.signal.aborted);
      underMaintenance = false;
    };
    const [authority] = locked;
    const isCancelled = (): boolean => cx.signal.aborted;
    let deployed = same !== undefined && authority !== undefined && wasDeployed(await Journal.readEvidence(authority.journalDb, run));
    let proof: Proof;
    let checks: readonly Check[];
    try {
      if (plan.maintenance !== null) {
        underMaintenance = true;
        await maintenanceOn(journals, run, plan.maintenance.on, commands, cx.signal);
      }
      proof = await applyAll(work, steps);
      checks = await runQueries(productionReader(work), plan.verify.queries, plan.schemas);
      const wrong = checks.filter((c) => c.verdict !== 'pass');
      if (wrong.length > 0)
        throw new NotProved(`verify queries did not hold: ${wrong.map((c) => `${c.name}: expected ${c.expected}, found ${c.actual}`).join('; ')}`, {
          hint: 'Read the difference, correct the plan, and begin again.',
        });
      if (plan.deploy !== null) {
        deployed = true;
        await authority?.journal.evidence(run, deployEvidence, { at: cx.clock.now().toISOString() });
        await runText(commands, 'deploy', plan.deploy.run, cx.signal);
      }
    } catch (thrown) {
      const failure = toFailure(thrown);
      try {
        if (failure instanceof Aborted || isCancelled()) throw cancelled(run, 'nothing was undone', thrown);
        const broken = await undone(work, await rowsOf(locked, run), thrown, async () => {
          if (deployed && plan.deploy?.undo != null) await runText(commands, 'deploy undo', plan.deploy.undo, cx.signal);
        });
        if (isCancelled()) throw cancelled(run, 'its undo has not ended', thrown);
        await setRunState(locked, run, broken === null ? 'rolled-back' : 'failed', (broken ?? failure).message);
        return failed(run, failure, broken, findings);
      } finally {
        await off();
      }
    }
    await setRunState(locked, run, 'migrated');
    await off();
    return migrated(cx, plan, run, proof, checks, findings, rehearsal.id);
  },
};

const productionReader = (work: Work): NonNullable<Work['arenas']['production']>['reader'] => {
  const arena = work.arenas.production;
  if (arena === undefined) throw new NotProved('production has no session');
  return arena.reader;
};

const cancelled = (run: RunId, what: string, cause: unknown): Aborted =>
  new Aborted(`cancelled; run ${run} is in the journal and ${what}`, {
    hint: `Run migrate again to continue, or rollback with confirm = ${run} to undo.`,
    cause,
  });

/** Undoes every step, then the deploy; null when all of it is undone, else what stood in the way. */
async function undone(work: Work, rows: readonly StepRow[], thrown: unknown, undeploy: () => Promise<void>): Promise<Error | null> {
  const undo = await undoAfter(work, rows, thrown);
  if (!undo.undone) return toFailure(undo.failure);
  try {
    await undeploy();
    return null;
  } catch (error) {
    return new NotProved(`${toFailure(thrown).message}; every step was undone, but the deploy was not: ${toFailure(error).message}`);
  }
}

/** A process killed between the journals of two databases left the run in the first only: the others are told by rolling the beginning back. */
async function completeBegin(locked: readonly Locked[], run: RunId): Promise<void> {
  for (const l of locked) {
    if ((await l.journal.runs()).every((r) => r.id !== run)) {
      throw new Refusal([
        block('run-unfinished', `run ${run} was begun, but ${l.name} does not know it: the process was killed while it began, and nothing was changed`, {
          object: run,
          hint: `Run phase rollback with confirm = ${run}, then migrate again.`,
        }),
      ]);
    }
  }
}

async function requireSameSchema(cx: PhaseContext, locked: readonly Locked[], plan: Plan, rehearsal: Rehearsal): Promise<void> {
  const findings: Finding[] = [];
  for (const l of locked) {
    const expected = rehearsal.databases[l.name]?.fingerprint;
    const actual = await schemaFingerprint(cx, l.target, plan.schemas);
    if (expected !== actual) {
      findings.push(
        block(
          'schema-drifted',
          `the schema of ${l.name} is ${actual.slice(0, 12)}, rehearsed was ${(expected ?? 'none').slice(0, 12)}: it has changed since the backup`,
          {
            object: l.name,
            hint: 'Run drift to see the change, then backup, clone and rehearse again.',
          },
        ),
      );
    }
  }
  refuseIfBlocked(findings);
}

/** Rows that would be set aside, beyond what was rehearsed and approved. */
export function aboveApproved(counts: Readonly<Record<string, Readonly<Record<string, number>>>>, approved: Rehearsal['approved']): readonly Finding[] {
  return Object.entries(counts).flatMap(([step, objects]) =>
    Object.entries(objects).flatMap(([object, found]) => {
      const most = approved[step]?.[object] ?? 0;
      return found <= most
        ? []
        : [
            block('count-above-approved', `${object}: ${plural(found, 'row')} would be set aside, approved were ${String(most)}`, {
              step,
              object,
              count: found,
              hint: 'Look at the new rows, then rehearse and approve again.',
            }),
          ];
    }),
  );
}

const alreadyMigrated = (row: RunRow): PhaseResult => ({
  outcome: 'passed',
  sentence: `run ${row.id} has already carried out this plan (${row.migratedAt ?? ''}); nothing was done`,
  findings: [note('already-done', `this plan was migrated by run ${row.id}`)],
  run: row.id,
  // not looked at here: watch and status say it
  rollback: null,
  next: [{ who: 'nobody', what: `cleanup is due after ${row.retainUntil ?? 'the retention'}` }],
});

function failed(run: RunId, failure: Error, broken: Error | null, findings: readonly Finding[]): PhaseResult {
  const undone = broken === null;
  return {
    outcome: 'failed',
    sentence: undone ? `run ${run} failed and undid itself: ${failure.message}` : `run ${run} failed, and the undo failed too: ${broken.message}`,
    findings: [
      ...findings,
      block('run-failed', (broken ?? failure).message, {
        object: run,
        hint: undone
          ? 'The database is as before and no write was lost. Correct the plan, then rehearse again.'
          : `Nothing retired was dropped. Run rollback with confirm = ${run} when the cause is gone.`,
      }),
    ],
    run,
    rollback: { possible: !undone, until: null, rehearsed: null, backlog: 0, blockedBy: [] },
    next: [{ who: 'a maintainer', what: undone ? 'correct the plan and rehearse again' : `remove the cause, then rollback with confirm = ${run}` }],
    database: 'production',
  };
}

function migrated(
  cx: PhaseContext,
  plan: Plan,
  run: RunId,
  proof: Proof,
  checks: readonly Check[],
  findings: readonly Finding[],
  rehearsalId: string,
): PhaseResult {
  const until = new Date(cx.clock.now().getTime() + plan.retentionMs).toISOString();
  const quarantined = proof.tables.reduce((n, t) => n + t.quarantined, 0);
  return {
    outcome: 'passed',
    sentence: `run ${run} carried out plan ${plan.id}: ${plural(plan.steps.length, 'step')}, ${plural(proof.rowsCompared, 'row')} compared, ${String(quarantined)} set aside, nothing lost; everything is reversible until ${until}`,
    findings: [...findings, ...proof.findings],
    checks: [...proof.checks, ...checks],
    tables: proof.tables,
    notCompared: proof.notCompared,
    sections: proof.sections,
    run,
    rollback: { possible: true, until, rehearsed: rehearsalId, backlog: 0, blockedBy: [] },
    outputs: { 'rows-compared': String(proof.rowsCompared), 'rows-quarantined': String(quarantined), 'rehearsal-id': rehearsalId },
    next: [
      { who: 'watch.yml', what: 'proves every day that nothing is lost' },
      { who: 'a maintainer', what: `can roll back with confirm = ${run} until ${until.slice(0, 10)}; cleanup is due after that` },
    ],
  };
}
