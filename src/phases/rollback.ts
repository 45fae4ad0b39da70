import { Aborted, NotProved, toFailure } from '../errors.js';
import { block, note, warn, type Finding } from '../finding.js';
import { Journal, lockHolders, tryLock, type RunRow } from '../journal/journal.js';
import { fingerprint, schemaOf } from '../proof/fingerprint.js';
import type { Check } from '../report/event.js';
import { canUndoAll, undoAll, type Work } from '../steps/all.js';
import { databasesOfRun, locateRun } from './locate-run.js';
import { knowing, lockDatabases, openArenas, rowsOf, setRunState, targetOf, workOf, type Locked } from './arenas.js';
import { maintenanceOff, maintenanceOffLeftOn, maintenanceOn, materialize, runText, workingDirectoryOf, type Commands } from './maintenance.js';
import type { Phase, PhaseContext } from './phase.js';
import { planOfRun } from './plan-of-run.js';
import { refuseIfBlocked, Refusal } from './refusal.js';
import { wasDeployed } from './start.js';

/** How long a rollback waits for a watch to yield (DECISIONS 14). */
const yieldMs = 60_000;

/** Brings back the state before a run, with every write made since. Refuses before touching anything when a step could not be undone whole. */
export const rollback: Phase = {
  name: 'rollback',
  needsPlan: false,
  needs: () => ['production-url', 'confirm'],
  writes: 'target',
  async run(cx) {
    const id = cx.inputs.confirm;
    const found = await locateRun(cx, id);
    requireReversible(found);
    await askWatchToYield(cx, found);
    const all = await lockDatabases(cx, databasesOfRun(found));
    const row = (await locateRun(cx, id, all)) satisfies RunRow;
    // while this one waited for the lock, its holder may have cleaned it or rolled it back
    requireReversible(row);
    await maintenanceOffLeftOn(cx, all);
    const locked = await knowing(all, id);
    const { plan, files } = await planOfRun(lockedWith(locked, row).journalDb, row);
    const arenas = await openArenas(cx, locked, id);
    const cwd = materialize(workingDirectoryOf(cx, plan), cx.scratch, id, files);
    let underMaintenance = false;
    const work = workOf(cx, {
      run: id,
      plan,
      arenas,
      approved: row.approved,
      allow: new Set([...cx.settings.allow, ...row.allow]),
      maxLockMs: cx.settings.maxLockMs ?? row.maxLockMs,
      workingDirectory: cwd,
      quiet: (inner, guard) => inner(underMaintenance && guard !== 'clone-only'),
    });
    const rows = await rowsOf(locked, id);
    const obstacles = await canUndoAll(work, rows);
    for (const finding of obstacles) cx.report({ type: 'found', finding });
    refuseIfBlocked(obstacles, `run ${id} cannot be rolled back without losing something; nothing was touched`);
    const commands: Commands = { exec: cx.exec, report: cx.report, cwd, env: targetOf(cx, 'production').env };
    const journals = locked.map((l) => l.journal);
    await setRunState(locked, id, 'rolling-back');
    const findings: Finding[] = [...obstacles];
    const deployed = wasDeployed(await Journal.readEvidence(lockedWith(locked, row).journalDb, id));
    try {
      if (plan.maintenance !== null) {
        underMaintenance = true;
        await maintenanceOn(journals, id, plan.maintenance.on, commands, cx.signal);
      }
      await undoAll(work, rows);
      findings.push(...(await compareWithStart(work, locked, id, plan.schemas)));
      if (deployed && plan.deploy?.undo != null) await runText(commands, 'deploy undo', plan.deploy.undo, cx.signal);
    } catch (thrown) {
      if (plan.maintenance !== null && underMaintenance) await maintenanceOff(journals, id, plan.maintenance.off, commands, cx.signal.aborted);
      if (cx.signal.aborted)
        throw new Aborted(`cancelled while rolling back run ${id}`, { hint: 'Run rollback again with the same confirm: it continues.', cause: thrown });
      const failure = toFailure(thrown);
      // a refusal would say that nothing was changed
      throw failure.fault === 'user' ? new NotProved(failure.message, { ...failure.more, cause: failure }) : failure;
    }
    await setRunState(locked, id, 'rolled-back');
    if (plan.maintenance !== null && underMaintenance) await maintenanceOff(journals, id, plan.maintenance.off, commands, false);
    const until = new Date(cx.clock.now().getTime() + row.retentionMs).toISOString();
    return {
      outcome: 'passed',
      sentence: `run ${id} was rolled back: the state before is back, with every write made since; what failed is kept until ${until}`,
      findings,
      run: id,
      rollback: { possible: false, until: null, rehearsed: null, backlog: 0, blockedBy: [] },
      checks: [
        {
          name: 'schema as before the run',
          criterion: 'other',
          expected: row.fingerprint.slice(0, 12),
          ...schemaVerdict(findings, row),
        },
      ],
      next: [{ who: 'a maintainer', what: 'correct the plan and rehearse again, or leave it' }],
    };
  },
};

function requireReversible(row: RunRow): void {
  if (['migrating', 'migrated', 'failed', 'rolling-back'].includes(row.state)) return;
  throw new Refusal([
    block('run-not-found', `run ${row.id} is ${row.state}: there is nothing to roll back`, {
      object: row.id,
      hint: row.state === 'cleaned' ? 'Cleanup has ended its reversibility; only its archive is left.' : 'Run phase status to see the open runs.',
    }),
  ]);
}

const lockedWith = (locked: readonly Locked[], row: RunRow): Locked => {
  const found = locked.find((l) => l.name === row.database) ?? locked[0];
  if (found === undefined) throw new Aborted('no database is locked');
  return found;
};

/** A watch works in small pieces and looks between them whether a rollback waits. */
async function askWatchToYield(cx: PhaseContext, run: RunRow): Promise<void> {
  for (const name of databasesOfRun(run)) {
    const wish = await cx.open(targetOf(cx, name), 'lock', 'lossless rollback waiting');
    await tryLock(wish, 'wish');
    for (let waited = 0; waited < yieldMs && (await lockHolders(wish, 'run')).length > 0; waited += 500) await cx.clock.sleep(500, cx.signal);
  }
}

function schemaVerdict(findings: readonly Finding[], row: RunRow): Pick<Check, 'actual' | 'verdict'> {
  if (findings.some((f) => f.code === 'schema-drifted')) return { actual: 'differs', verdict: 'fail' };
  if (findings.some((f) => f.code === 'undone-as-before')) return { actual: row.fingerprint.slice(0, 12), verdict: 'pass' };
  return { actual: 'not compared', verdict: 'not-measured' };
}

/** The schema must be the one before the run; what the application's owners changed meanwhile is shown, not undone. */
async function compareWithStart(work: Work, locked: readonly Locked[], run: string, schemas: readonly string[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const l of locked) {
    const start = (await l.journal.runs()).find((r) => r.id === run)?.fingerprint;
    const arena = work.arenas[l.name];
    if (start === undefined || start === '' || arena === undefined) continue;
    const now = await arena.reader.transaction(async (tx) => fingerprint(await schemaOf(tx, schemas)), { isolation: 'repeatable read', readOnly: true });
    findings.push(
      now === start
        ? note('undone-as-before', `the schema of ${l.name} is as before the run`, { object: l.name })
        : warn('schema-drifted', `the schema of ${l.name} is ${now.slice(0, 12)}, before the run it was ${start.slice(0, 12)}`, {
            object: l.name,
            hint: 'Somebody changed it during the retention; run drift to see how.',
          }),
    );
  }
  return findings;
}
