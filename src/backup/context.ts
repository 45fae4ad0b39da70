import type { Inputs } from '../inputs.js';
import type { SessionKind, Target } from '../pg/connect.js';
import type { Db } from '../pg/db.js';
import type { Clock, Exec, Invocation, Report, Store } from '../ports.js';

/** What backups and restores need of the outside; a PhaseContext is one. */
export interface BackupContext {
  readonly inputs: Inputs;
  readonly invocation: Invocation;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** private temporary directory */
  readonly scratch: string;
  readonly toolVersion: string;
  open(target: Target, kind: SessionKind, name?: string): Promise<Db>;
  store(): Promise<Store>;
}
