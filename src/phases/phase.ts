import type { Finding } from '../finding.js';
import type { Target } from '../pg/connect.js';
import type { Db } from '../pg/db.js';
import type { SessionKind } from '../pg/connect.js';
import type { Plan } from '../plan/plan.js';
import type { Inputs, Settings } from '../inputs.js';
import type { Clock, Exec, GitHub, Host, Invocation, Report, Store } from '../ports.js';
import type { Check, Outcome, OutputName, RollbackState, Section, TableAccount } from '../report/event.js';

export type PhaseName = 'check' | 'drift' | 'backup' | 'clone' | 'rehearse' | 'gate' | 'migrate' | 'watch' | 'rollback' | 'cleanup' | 'status';
export type DatabaseName = 'production' | 'development' | 'staging';

/** One job of the journey. Expected refusals are returned, not thrown; whatever is thrown ends in run.ts as failed or aborted. */
export interface Phase {
  readonly name: PhaseName;
  /** whether the plan file must be readable (watch, rollback, cleanup and status read it from the journal) */
  readonly needsPlan: boolean;
  /** inputs without which it cannot start, for this plan */
  needs(plan: Plan | null): readonly (keyof Inputs)[];
  readonly writes: 'nothing' | 'staging' | 'target';
  run(cx: PhaseContext): Promise<PhaseResult>;
}

export interface PhaseContext {
  /** null where needsPlan is false and no plan file was found */
  readonly plan: Plan | null;
  readonly inputs: Inputs;
  readonly settings: Settings;
  readonly invocation: Invocation;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly github: GitHub | null;
  readonly host: Host['kind'];
  /** private temporary directory, 0700 */
  readonly scratch: string;
  readonly toolVersion: string;
  /** parsed URL of the input, or null when it is empty */
  readonly targets: Readonly<Record<DatabaseName, Target | null>>;
  /** opens a session; closed by run.ts at the end at the latest; aborting `within` cancels its statement, as cancelling the phase does */
  open(target: Target, kind: SessionKind, name?: string, within?: AbortSignal): Promise<Db>;
  store(): Promise<Store>;
  mask(secret: string): void;
}

export interface PhaseResult {
  readonly outcome: Outcome;
  /** one sentence for the top of the report */
  readonly sentence: string;
  readonly findings: readonly Finding[];
  readonly checks?: readonly Check[];
  readonly tables?: readonly TableAccount[];
  readonly notCompared?: readonly string[];
  readonly sections?: readonly Section[];
  readonly rollback?: RollbackState | null;
  readonly run?: string | null;
  readonly database?: string;
  readonly next?: readonly { readonly who: string; readonly what: string }[];
  readonly outputs?: Readonly<Partial<Record<OutputName, string>>>;
}
