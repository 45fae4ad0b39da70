import { randomBytes } from 'node:crypto';
import { LockNotGranted } from '../errors.js';
import type { Relation, RunId } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { fromCatalog, type Sql } from '../pg/render.js';
import type { Clock, Report } from '../ports.js';
import type { Json, ReceiptSlot } from '../steps/step.js';

export type RunState = 'migrating' | 'migrated' | 'failed' | 'rolling-back' | 'rolled-back' | 'cleaning' | 'cleaned';
export type StepState = 'planned' | 'applying' | 'applied' | 'verified' | 'failed' | 'undoing' | 'undone' | 'cleaning' | 'cleaned';

export interface RunRow {
  readonly id: RunId;
  readonly state: RunState;
  readonly database: 'production' | 'development';
  /** every database the run touches; each has its own journal with the same run id */
  readonly databases: readonly ('production' | 'development')[];
  readonly planName: string;
  readonly planDigest: string;
  readonly planFile: string;
  /** schema fingerprint before the first act */
  readonly fingerprint: string;
  readonly allow: readonly string[];
  readonly maxLockMs: number;
  readonly retentionMs: number;
  /** step id → counts that were rehearsed and approved */
  readonly approved: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly toolVersion: string;
  readonly actor: string;
  readonly commit: string;
  readonly workflowRun: string;
  readonly startedAt: string;
  readonly migratedAt: string | null;
  readonly rolledBackAt: string | null;
  readonly retainUntil: string | null;
  readonly endedAt: string | null;
  readonly maintenanceOn: boolean;
  readonly failure: string | null;
}

/** What a step holds while its run is open (DECISIONS 14). */
export interface Holds {
  readonly relations: readonly Relation[];
  readonly schemas: readonly string[];
  readonly anything: boolean;
}

export interface StepRow {
  readonly run: RunId;
  readonly no: number;
  readonly id: string;
  readonly kind: string;
  readonly database: 'production' | 'development';
  readonly spec: Json;
  readonly state: StepState;
  readonly receipt: Json;
  readonly holds: Holds;
  readonly failure: string | null;
}

export interface WatchRow {
  readonly at: string;
  readonly outcome: 'green' | 'red';
  readonly backlog: number;
  readonly body: Json;
}

export const newRunId = (): RunId => `r${randomBytes(4).toString('hex')}`;

/** Keys of our advisory locks, spelt `loss` and `less` in ASCII with a number: `run` while anything writes, `wish` while a rollback waits for a watch to yield. */
const keys = { run: fromCatalog('7811887669352329985'), wish: fromCatalog('7811887669352329986') } as const satisfies Record<string, Sql>;
export type LockKey = keyof typeof keys;

/** Takes a lock of ours on this session (it is the session's until it ends); null when taken, else who holds it. */
export async function tryLock(session: Db, key: LockKey): Promise<string | null> {
  const { taken } = await session.one<{ taken: boolean }>('journal/lock', { parts: { key: keys[key] } });
  if (taken) return null;
  const holders = await lockHolders(session, key);
  return holders.join(', ') || 'a session that has just ended';
}

export async function lockHolders(db: ReadDb, key: LockKey): Promise<readonly string[]> {
  const rows = await db.rows<{ pid: number; name: string; since: string }>('journal/lock-holders', { parts: { key: keys[key] } });
  return rows.map((r) => `pid ${String(r.pid)} (${r.name}, connected since ${r.since})`);
}

export async function unlock(session: Db, key: LockKey): Promise<void> {
  await session.rows('journal/unlock', { parts: { key: keys[key] } });
}

/** Waits until no backend of the run is left: a killed process's statement may still be running on the server (DECISIONS 34). */
export async function waitForBackends(session: Db, run: RunId, own: readonly number[], clock: Clock, signal: AbortSignal): Promise<void> {
  const patienceMs = 60_000;
  for (let waited = 0; ; waited += 500) {
    const left = await session.rows<{ pid: number; name: string; state: string }>('journal/backends', { values: [run, own] });
    if (left.length === 0) return;
    if (waited >= patienceMs) {
      const names = left.map((l) => `pid ${String(l.pid)} (${l.name}, ${l.state})`);
      throw new LockNotGranted('journal/backends', names, `sessions of run ${run} are still alive after 60 s: ${names.join(', ')}`, {
        hint: 'Another process may be carrying this run. Wait for it, or end these sessions (SELECT pg_terminate_backend(pid)), then run again.',
      });
    }
    await clock.sleep(500, signal);
  }
}

const parseRun = (r: Record<string, unknown>): RunRow => {
  const get = <T>(k: string): T => r[k] as T;
  return {
    id: get('id'),
    state: get('state'),
    database: get('database'),
    databases: textArray(get('databases')),
    planName: get('plan_name'),
    planDigest: get('plan_digest'),
    planFile: get('plan_file'),
    fingerprint: get('fingerprint'),
    allow: textArray(get('allow')),
    maxLockMs: get('max_lock_ms'),
    retentionMs: get('retention_ms'),
    approved: get('approved'),
    toolVersion: get('tool_version'),
    actor: get('actor'),
    commit: get('commit'),
    workflowRun: get('workflow_run'),
    startedAt: iso(get('started_at')) ?? '',
    migratedAt: iso(get('migrated_at')),
    rolledBackAt: iso(get('rolled_back_at')),
    retainUntil: iso(get('retain_until')),
    endedAt: iso(get('ended_at')),
    maintenanceOn: get('maintenance_on'),
    failure: get('failure'),
  };
};

const iso = (text: string | null): string | null => (text === null ? null : new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')).toISOString());
const textArray = <T extends string>(value: readonly T[] | string): readonly T[] => (typeof value === 'string' ? [] : value);

/**
 * The journal of one database. Everything that phases share across jobs is here and survives a crash anywhere: each write commits
 * before its method resolves and before the act it announces. It is never rolled back and never dropped by us.
 */
export class Journal {
  constructor(
    private readonly db: Db,
    private readonly clock: Clock,
    private readonly report: Report,
  ) {}

  static async exists(db: ReadDb): Promise<boolean> {
    return (await db.one<{ found: boolean }>('journal/exists')).found;
  }

  /** Reading side, for phases that write nothing. */
  static async readRuns(db: ReadDb): Promise<readonly RunRow[]> {
    if (!(await Journal.exists(db))) return [];
    return (await db.rows<Record<string, unknown>>('journal/runs')).map(parseRun);
  }

  static async readSteps(db: ReadDb, run: RunId): Promise<readonly StepRow[]> {
    return (await Journal.exists(db)) ? db.rows<StepRow>('journal/steps', { values: [run] }) : [];
  }

  static async readEvidence(db: ReadDb, run: RunId): Promise<Readonly<Record<string, Json>>> {
    const rows = await db.rows<{ kind: string; body: Json }>('journal/evidence', { values: [run] });
    return Object.fromEntries(rows.map((r) => [r.kind, r.body]));
  }

  static async readFiles(db: ReadDb, run: RunId): Promise<ReadonlyMap<string, Uint8Array>> {
    const rows = await db.rows<{ path: string; content: string }>('journal/files', { values: [run] });
    return new Map(rows.map((r) => [r.path, Buffer.from(r.content, 'base64')]));
  }

  static async lastWatch(db: ReadDb, run: RunId): Promise<WatchRow | null> {
    const rows = await db.rows<WatchRow>('journal/last-watch', { values: [run] });
    const row = rows[0];
    return row === undefined ? null : { ...row, at: iso(row.at) ?? '' };
  }

  async create(): Promise<void> {
    await this.db.change('journal/create');
  }

  runs(): Promise<readonly RunRow[]> {
    return Journal.readRuns(this.db);
  }

  steps(run: RunId): Promise<readonly StepRow[]> {
    return Journal.readSteps(this.db, run);
  }

  /** A run with its steps, evidence and files, in one transaction: it is in the journal whole or not at all. */
  async begin(
    run: Omit<RunRow, 'state' | 'startedAt' | 'migratedAt' | 'rolledBackAt' | 'retainUntil' | 'endedAt' | 'maintenanceOn' | 'failure'>,
    steps: readonly Omit<StepRow, 'run' | 'state' | 'receipt' | 'failure'>[],
    evidence: Readonly<Record<string, Json>>,
    files: ReadonlyMap<string, Uint8Array>,
  ): Promise<void> {
    const now = this.clock.now().toISOString();
    await this.db.transaction(async (tx) => {
      await tx.change('journal/begin-run', {
        values: [
          run.id,
          run.database,
          run.databases,
          run.planName,
          run.planDigest,
          run.planFile,
          run.fingerprint,
          run.allow,
          run.maxLockMs,
          run.retentionMs,
          JSON.stringify(run.approved),
          run.toolVersion,
          run.actor,
          run.commit,
          run.workflowRun,
          now,
        ],
      });
      for (const s of steps) {
        await tx.change('journal/begin-step', { values: [run.id, s.no, s.id, s.kind, s.database, JSON.stringify(s.spec), JSON.stringify(s.holds)] });
      }
      for (const [kind, body] of Object.entries(evidence)) await tx.change('journal/save-evidence', { values: [run.id, kind, JSON.stringify(body), now] });
      for (const [path, content] of files) await tx.change('journal/save-file', { values: [run.id, path, Buffer.from(content)] });
    });
    this.written('run begun', null);
  }

  async runState(run: RunId, state: RunState, failure: string | null = null): Promise<void> {
    await this.db.change('journal/run-state', { values: [run, state, failure, this.clock.now().toISOString()] });
    this.written(`run ${state}`, null);
  }

  async stepState(run: RunId, step: string, state: StepState, failure: string | null = null): Promise<void> {
    await this.db.change('journal/step-state', { values: [run, step, state, failure, this.clock.now().toISOString()] });
    this.written(`step ${state}`, step);
  }

  async maintenance(run: RunId, on: boolean): Promise<void> {
    await this.db.change('journal/maintenance', { values: [run, on] });
    this.written(`maintenance ${on ? 'on' : 'off'}`, null);
  }

  async evidence(run: RunId, kind: string, body: Json): Promise<void> {
    await this.db.change('journal/save-evidence', { values: [run, kind, JSON.stringify(body), this.clock.now().toISOString()] });
    this.written(`evidence ${kind}`, null);
  }

  async watched(run: RunId, watch: Omit<WatchRow, 'at'>): Promise<void> {
    await this.db.change('journal/save-watch', { values: [run, this.clock.now().toISOString(), watch.outcome, watch.backlog, JSON.stringify(watch.body)] });
    this.written('watch', null);
  }

  /** The durable slot of one step: `save` has committed when it resolves. */
  slot(run: RunId, step: string, last: Json): ReceiptSlot<Json> {
    const slot = {
      last,
      save: async (receipt: Json): Promise<void> => {
        await this.db.change('journal/save-receipt', { values: [run, step, JSON.stringify(receipt), this.clock.now().toISOString()] });
        slot.last = receipt;
        this.written('receipt', step);
      },
    };
    return slot;
  }

  async forgetReceipt(run: RunId, step: string): Promise<void> {
    await this.db.change('journal/forget-receipt', { values: [run, step] });
  }

  async past(kind: string, run: RunId): Promise<readonly { readonly run: RunId; readonly stepId: string; readonly receipt: Json }[]> {
    const rows = await this.db.rows<{ run: RunId; step_id: string; receipt: Json }>('journal/past-receipts', { values: [kind, run] });
    return rows.map((r) => ({ run: r.run, stepId: r.step_id, receipt: r.receipt }));
  }

  private written(what: string, step: string | null): void {
    this.report({ type: 'journal-written', what, step });
  }
}

/** Tables of ours that stay after cleanup. */
export const journalTables = ['run', 'step', 'receipt', 'evidence', 'file', 'watch'] as const;

/** Without a finished watch for this long, "busy" is no excuse any more. */
export const watchEveryMs = 36 * 3_600_000;

/** A last watch that allows cleanup: green and not older than 36 hours. */
export const isGreen = (last: { readonly at: string; readonly outcome: string } | null, now: Date): boolean =>
  last?.outcome === 'green' && now.getTime() - new Date(last.at).getTime() <= watchEveryMs;
