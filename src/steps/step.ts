import type { z } from 'zod';
import type { Finding } from '../finding.js';
import type { RunId, Relation } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import type { Sql } from '../pg/render.js';
import type { PlanFiles, PlanFrame } from '../plan/plan.js';
import type { Clock, Exec, Report } from '../ports.js';
import type { Sources } from '../proof/mentions.js';
import type { Check, Section, TableAccount } from '../report/event.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * One kind of change. A step keeps no state of its own: what undo and cleanup will need is in the receipt, saved before
 * the act it describes. Laws, checked for every kind by __tests__/cluster/steps:
 *  1. preflight, verify, canUndo and canCleanup only read: their context cannot write, and their session is read-only.
 *  2. apply resumes: run again after any interruption, it continues from `receipt.last` or does nothing.
 *  3. undo accepts whatever an interrupted apply or an interrupted undo leaves; afterwards the schema is as before and no row written meanwhile is lost.
 *  4. cleanup is the only method that may destroy what undo needs; it is safe to repeat.
 *  5. No method prints, reads the environment, or knows which phase is running it.
 */
export interface Step<Spec, Receipt extends Json> {
  /** strict object: unknown keys are refused; the kind is the registry key. Messages say what to write instead. */
  readonly schema: z.ZodType<Spec>;
  /** Pure; shown in the plan report before anything runs, and used for overlap checks. */
  describe(spec: Spec, plan: PlanFrame): Intent;
  preflight(cx: ReadContext, spec: Spec): Promise<Preflight>;
  apply(cx: StepContext, spec: Spec, receipt: ReceiptSlot<Receipt>): Promise<void>;
  verify(cx: ReadContext, spec: Spec, receipt: Receipt): Promise<Verified>;
  /** Read only; block findings name what would stop or lose something in an undo now (keys, not values). */
  canUndo(cx: ReadContext, spec: Spec, receipt: Receipt): Promise<readonly Finding[]>;
  /** @param slot where an undo that sets things aside records them, for `retired` and `cleanup` of the undone step */
  undo(cx: StepContext, spec: Spec, receipt: Receipt | null, slot?: ReceiptSlot<Receipt>): Promise<void>;
  /** Keeps the retired side up to date (reverse drain), re-proves that nothing is lost. Repeatable; a step with nothing to tend returns no findings. */
  watch(cx: StepContext, spec: Spec, receipt: Receipt): Promise<Watched>;
  /** Read only; block findings say why the retired objects may not go yet (dependents, use since the swap). */
  canCleanup(cx: ReadContext, spec: Spec, receipt: Receipt): Promise<readonly Finding[]>;
  /** Pure: the tables with rows that cleanup will drop (retired originals, quarantine); the phase archives them first. */
  retired(spec: Spec, receipt: Receipt): readonly Relation[];
  /** Pure; whole schemas that cleanup will drop: their definitions (functions, views) go into the archive beside the rows of `retired`. */
  retiredSchemas?(spec: Spec, receipt: Receipt): readonly string[];
  cleanup(cx: StepContext, spec: Spec, receipt: Receipt): Promise<void>;
  /** Which existing rows of a touched table will fit after the change (SQL over the table's alias `t`): synthetic writers copy only such. */
  fits?(db: ReadDb, spec: Spec, plan: PlanFrame): Promise<readonly { readonly relation: Relation; readonly condition: Sql }[]>;
  /** false for a table that synthetic writers must leave alone because the change needs it so (a table that must be empty) */
  writable?(spec: Spec, plan: PlanFrame, relation: Relation): boolean;
}

export interface ReceiptSlot<R extends Json> {
  readonly last: R | null;
  /** Durable when it resolves. Save before the act that the receipt describes. */
  save(receipt: R): Promise<void>;
}

export type LockMode =
  'none' | 'ACCESS SHARE' | 'ROW SHARE' | 'ROW EXCLUSIVE' | 'SHARE UPDATE EXCLUSIVE' | 'SHARE' | 'SHARE ROW EXCLUSIVE' | 'EXCLUSIVE' | 'ACCESS EXCLUSIVE';

export interface Intent {
  readonly title: string;
  /** relations it changes, for the report, overlap checks and the backup */
  readonly touches: readonly Relation[];
  /** whole schemas it changes (retire-schemas) */
  readonly schemas: readonly string[];
  /** true: any table of the plan's schemas may change (sql, command, drizzle), so it may overlap with nothing an open run holds */
  readonly anything: boolean;
  readonly heaviestLock: LockMode;
  readonly deletesData: boolean;
  /** exact: until the receipt is gone. until-cleanup: as long as the retired side is kept. none: only the backup helps (shown at the gate). */
  readonly undo: 'exact' | 'until-cleanup' | 'none' | 'nothing-to-undo';
}

export interface Preflight {
  readonly findings: readonly Finding[];
  /** true: the work is found done, proved by a definition in the target; apply will do nothing and say so */
  readonly done: boolean;
  /** what a human approves: rows per object that will be quarantined, conflict or be carried; key `<object>` */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Verified {
  readonly findings: readonly Finding[];
  readonly checks: readonly Check[];
  readonly tables: readonly TableAccount[];
  /** what was not compared, and why: one sentence each */
  readonly notCompared: readonly string[];
  readonly rowsCompared: number;
  /** free tables for the report: facts that are neither checks nor faults */
  readonly sections?: readonly Section[];
}

export interface Watched {
  readonly findings: readonly Finding[];
  /** keys written on the new side that the retired side did not have when this began */
  readonly drained: number;
  /** keys still to carry when this ended (written meanwhile) */
  readonly backlog: number;
  /** findings that block a rollback now: each names keys */
  readonly blocking: readonly Finding[];
  readonly tables: readonly TableAccount[];
}

export interface Budget {
  /** for any lock that blocks writers, from first request to commit */
  readonly maxLockMs: number;
  /** parallel connections for copy and index work */
  readonly workers: number;
  /** how long a cut-over may go on trying for its locks altogether; default 60 s */
  readonly patienceMs?: number;
}

/** What a reading method may touch. Law 1, as a type. */
export interface ReadContext {
  readonly db: ReadDb;
  readonly stepId: string;
  readonly run: RunId;
  readonly plan: PlanFrame;
  readonly files: PlanFiles;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** consequences and hazards accepted by name */
  readonly allow: ReadonlySet<string>;
  /** counts of Preflight that were rehearsed and approved for this step; null before any rehearsal (preflight) */
  readonly approved: Readonly<Record<string, number>> | null;
  /** looks for names in the checked-out source code of the repository (src/proof/mentions.ts); absent when there is none */
  readonly sources?: Sources;
  /** directory of `command` and `drizzle`; absent where nothing may be run, so that preflight may look there */
  readonly workingDirectory?: string;
}

/** Everything a step may touch; nothing else is reachable. */
export interface StepContext extends ReadContext {
  readonly db: Db;
  readonly exec: Exec;
  /** directory for `command` and `drizzle` */
  readonly workingDirectory: string;
  /** Runs `work` while, if possible, nobody else writes (synthetic writers paused on a clone; maintenance on). `exclusive` says whether that holds; under `guard: clone-only` it never does on a target, maintenance or not. */
  quiet<T>(work: (exclusive: boolean) => Promise<T>, guard?: 'clone-only'): Promise<T>;
  /** until when the run keeps what it retires, for the comments on our schemas; absent when nobody knows yet */
  readonly keepUntil?: Date;
  /** receipts of earlier, undone runs of the same kind in this database, newest first */
  past(): Promise<readonly { readonly run: RunId; readonly stepId: string; readonly receipt: Json }[]>;
}

/** A step whose Spec and Receipt are forgotten: what the registry and the runner hold. plan/read.ts parses the spec in one place, so no step checks its own input. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the registry forgets each Spec; plan/read.ts restores it with schema.parse
export type AnyStep = Step<any, any>;
