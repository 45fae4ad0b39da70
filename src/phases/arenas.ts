import { availableParallelism } from 'node:os';
import { block } from '../finding.js';
import { Journal, tryLock, unlock, waitForBackends, type RunRow, type StepRow } from '../journal/journal.js';
import type { RunId } from '../names.js';
import type { Target } from '../pg/connect.js';
import type { Db } from '../pg/db.js';
import type { Plan } from '../plan/plan.js';
import type { Arena, Work } from '../steps/all.js';
import { steps as kinds } from '../steps/index.js';
import type { PhaseContext } from './phase.js';
import { Refusal } from './refusal.js';

export type RealDatabase = 'production' | 'development';

/** Databases a plan touches, in the order in which their locks are taken. */
export const databasesOf = (plan: Plan): readonly RealDatabase[] =>
  (['production', 'development'] as const).filter((name) => name === 'production' || plan.steps.some((s) => s.on === name));

export function targetOf(cx: PhaseContext, name: RealDatabase): Target {
  const target = cx.targets[name];
  if (target !== null) return target;
  throw new Refusal([
    block('input-missing', `${name}-url is empty, and the plan or the run touches ${name}`, { object: `${name}-url`, hint: `Set the input ${name}-url.` }),
  ]);
}

/** A database whose lock is ours until the phase ends. */
export interface Locked {
  readonly name: RealDatabase;
  readonly target: Target;
  readonly journal: Journal;
  readonly journalDb: Db;
  readonly lockDb: Db;
}

/**
 * Takes the one advisory lock of each database, in a fixed order, and opens a session for its journal, which may not exist yet: a refusal must leave nothing behind.
 * Refuses with `run-active` naming the holder when somebody else has it.
 */
export async function lockDatabases(cx: PhaseContext, names: readonly RealDatabase[]): Promise<readonly Locked[]> {
  const locked: Locked[] = [];
  for (const name of names) {
    const target = targetOf(cx, name);
    const lockDb = await cx.open(target, 'lock', 'lossless lock');
    const holder = await tryLock(lockDb, 'run');
    if (holder !== null) {
      throw new Refusal([
        block('run-active', `another Lossless run is at work on ${name}: ${holder}`, {
          object: name,
          hint: 'Wait until it has ended, then run this phase again; nothing was changed.',
        }),
      ]);
    }
    const journalDb = await cx.open(target, 'worker', 'lossless journal');
    const journal = new Journal(journalDb, cx.clock, cx.report);
    locked.push({ name, target, journal, journalDb, lockDb });
  }
  return locked;
}

export async function releaseDatabases(locked: readonly Locked[]): Promise<void> {
  for (const l of locked) await unlock(l.lockDb, 'run');
}

/** Work sessions of a run: named after it, so that a later process can see whether this one's statements are still running. */
export async function openArenas(cx: PhaseContext, locked: readonly Locked[], run: RunId): Promise<Work['arenas']> {
  const arenas: Partial<Record<RealDatabase, Arena>> = {};
  for (const l of locked) {
    await waitForBackends(l.journalDb, run, [], cx.clock, cx.signal);
    arenas[l.name] = {
      database: l.name,
      journal: l.journal,
      db: await cx.open(l.target, 'worker', `lossless ${run}`),
      reader: await cx.open(l.target, 'reader', `lossless ${run} reader`),
    };
  }
  return arenas;
}

export interface WorkOptions {
  readonly run: RunId;
  readonly plan: Plan;
  readonly arenas: Work['arenas'];
  readonly approved: Work['approved'];
  readonly allow: ReadonlySet<string>;
  readonly maxLockMs: number;
  readonly workingDirectory: string;
  /** whether nobody else writes while `quiet` work runs */
  readonly quiet: Work['quiet'];
}

export function workOf(cx: PhaseContext, options: WorkOptions): Work {
  const { run, plan, arenas, approved, allow, maxLockMs, workingDirectory, quiet } = options;
  return {
    run,
    kinds,
    arenas,
    plan,
    files: plan.files,
    // two connections where there are cores for them; PERF: more than two gain nothing on small servers
    budget: { maxLockMs, workers: Math.min(2, availableParallelism()) },
    allow,
    approved,
    exec: cx.exec,
    workingDirectory,
    keepUntil: new Date(cx.clock.now().getTime() + plan.retentionMs),
    clock: cx.clock,
    report: cx.report,
    signal: cx.signal,
    quiet,
  };
}

/** Rows of one run over all its databases, in plan order. */
export async function rowsOf(locked: readonly Locked[], run: RunId): Promise<readonly StepRow[]> {
  const rows = await Promise.all(locked.map((l) => l.journal.steps(run)));
  return rows.flat().sort((a, b) => a.no - b.no);
}

/** The first database is told last: its journal is the authority, so a process killed in between is continued from the state that it still has. */
export async function setRunState(locked: readonly Locked[], run: RunId, state: RunRow['state'], failure: string | null = null): Promise<void> {
  for (const l of [...locked].reverse()) await l.journal.runState(run, state, failure);
}

/**
 * The databases of a run whose journals know it. A process killed while it began leaves a database that does not, and then no step was begun anywhere;
 * refuses with `run-not-found` when one was: that journal is lost.
 */
export async function knowing(locked: readonly Locked[], run: RunId): Promise<readonly Locked[]> {
  const known: Locked[] = [];
  for (const l of locked) if ((await l.journal.runs()).some((r) => r.id === run)) known.push(l);
  const strange = locked.find((l) => !known.includes(l));
  if (strange === undefined || (await rowsOf(known, run)).every((r) => r.state === 'planned' && r.receipt === null)) return known;
  throw new Refusal([
    block('run-not-found', `the journal of ${strange.name} does not know run ${run}, and steps of it were begun`, {
      object: strange.name,
      hint: `Is ${strange.name}-url the database that the run changed? If it was replaced since, restore its schema lossless from a backup.`,
    }),
  ]);
}

export const plural = (n: number, one: string, many = `${one}s`): string => `${String(n)} ${n === 1 ? one : many}`;
