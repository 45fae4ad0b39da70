import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { Journal, lockHolders, type RunRow } from '../journal/journal.js';
import type { Target } from '../pg/connect.js';
import { connect } from '../pg/db.js';
import type { Clock, Exec, Host, Report } from '../ports.js';
import type { RunId } from '../names.js';
import type { Plan } from '../plan/plan.js';
import type { PhaseContext } from './phase.js';
import { targetOf, type Locked } from './arenas.js';
import { planOfRun } from './plan-of-run.js';

export interface Commands {
  readonly exec: Exec;
  readonly report: Report;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where the plan's commands run: the input, else the folder of the plan. */
export const workingDirectoryOf = (cx: PhaseContext, plan: Plan): string => {
  const given = cx.inputs['working-directory'];
  if (given !== '') return isAbsolute(given) ? given : resolve(given);
  return plan.dir === '' ? dirname(resolve(plan.file)) : plan.dir;
};

/** Runs a command text of the plan by /bin/sh; its lines go to the report. */
export async function runText(commands: Commands, about: string, text: string, signal: AbortSignal): Promise<void> {
  await commands.exec(['/bin/sh', '-c', text], {
    env: commands.env,
    cwd: commands.cwd,
    signal,
    onLine: (line) => commands.report({ type: 'command-line', step: about, line }),
  });
}

/** Time for `maintenance.off` when the phase itself was cancelled: the runner kills after 7.5 s. */
const offMs = 5000;

/** Maintenance on: written to every journal first, so that whoever comes next turns it off. */
export async function maintenanceOn(journals: readonly Journal[], run: RunId, text: string, commands: Commands, signal: AbortSignal): Promise<void> {
  for (const journal of journals) await journal.maintenance(run, true);
  await runText(commands, 'maintenance on', text, signal);
}

/** Maintenance off, also on a cancelled run: with a signal of its own. */
export async function maintenanceOff(journals: readonly Journal[], run: RunId, text: string, commands: Commands, cancelled: boolean): Promise<void> {
  await runText(commands, 'maintenance off', text, cancelled ? AbortSignal.timeout(offMs) : new AbortController().signal);
  if (!cancelled) for (const journal of journals) await journal.maintenance(run, false);
}

/**
 * Turns off what a process that is gone left on, whatever became of its run (DECISIONS 12). The locks are ours, so nobody is at work behind it; a run that
 * is continued turns it on again.
 */
export async function maintenanceOffLeftOn(cx: PhaseContext, locked: readonly Locked[]): Promise<void> {
  const left = new Map<RunId, { readonly row: RunRow; readonly known: Locked[] }>();
  for (const l of locked)
    for (const row of (await l.journal.runs()).filter((r) => r.maintenanceOn)) {
      const entry = left.get(row.id) ?? { row, known: [] };
      entry.known.push(l);
      left.set(row.id, entry);
    }
  for (const { row, known } of left.values()) {
    const [first] = known;
    if (first === undefined) continue;
    const { plan, files } = await planOfRun(first.journalDb, row);
    if (plan.maintenance === null) continue;
    cx.report({ type: 'said', text: `run ${row.id} left maintenance on: it is turned off` });
    const cwd = materialize(workingDirectoryOf(cx, plan), cx.scratch, row.id, files);
    const commands = { exec: cx.exec, report: cx.report, cwd, env: targetOf(cx, 'production').env };
    await maintenanceOff(
      known.map((l) => l.journal),
      row.id,
      plan.maintenance.off,
      commands,
      cx.signal.aborted,
    );
  }
}

/** Where the plan's commands of a stored run can run: the folder on disk, else its files written from the journal. */
export function materialize(folder: string, scratch: string, run: RunId, files: ReadonlyMap<string, Uint8Array>): string {
  try {
    if (statSync(folder).isDirectory()) return folder;
  } catch {
    // the checkout is not here: rollback and watch need neither the plan file nor an artifact
  }
  // paths that climb out of the plan's folder (../scripts/x) must not climb out of scratch
  const climbs = Math.max(0, ...[...files.keys()].map((path) => path.split('/').filter((part) => part === '..').length));
  const root = join(scratch, `files-${run}`, ...Array.from({ length: climbs }, () => 'in'));
  mkdirSync(root, { recursive: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes, { mode: 0o700 });
  }
  return root;
}

/** How long the server may take to notice that the killed process is gone. */
const goneMs = 10_000;

/** In the post step: a run of this database that left maintenance on, and whose process is gone, gets it turned off. `env` is that of the run's commands. */
export async function maintenanceOffAfterwards(target: Target, env: Target['env'], host: Host, clock: Clock): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  const { db, close } = await connect(target, 'worker', { report: host.report, signal, clock, name: 'lossless post' });
  try {
    const on = (await Journal.readRuns(db)).filter((r: RunRow) => r.maintenanceOn);
    if (on.length === 0) return;
    for (let waited = 0; (await lockHolders(db, 'run')).length > 0; waited += 500) {
      if (waited >= goneMs) return;
      await clock.sleep(500, signal);
    }
    const journal = new Journal(db, clock, host.report);
    for (const row of on) {
      const { plan, files } = await planOfRun(db, row);
      if (plan.maintenance === null) continue;
      const cwd = materialize(host.inputs['working-directory'] || dirname(row.planFile), host.scratch, row.id, files);
      await maintenanceOff([journal], row.id, plan.maintenance.off, { exec: host.exec, report: host.report, cwd, env }, false);
    }
  } finally {
    await close();
  }
}
