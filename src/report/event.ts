import type { Fault } from '../errors.js';
import type { Finding } from '../finding.js';

/** Everything that can be said while working. Values, not text: report/text.ts and report/markdown.ts turn them into words. */
export type Event =
  | { readonly type: 'phase-started'; readonly phase: string; readonly plan: string; readonly planId: string }
  | { readonly type: 'phase-ended'; readonly phase: string; readonly outcome: Outcome; readonly ms: number }
  | { readonly type: 'step-started'; readonly step: string; readonly doing: Doing; readonly title: string }
  | { readonly type: 'step-ended'; readonly step: string; readonly doing: Doing; readonly ms: number }
  | {
      readonly type: 'progress';
      readonly step: string;
      readonly what: string;
      readonly done: number;
      readonly of: number | null;
      readonly unit: 'rows' | 'bytes' | 'tables' | 'keys';
    }
  | { readonly type: 'journal-written'; readonly what: string; readonly step: string | null }
  | { readonly type: 'swap'; readonly step: string; readonly moment: 'before' | 'sent' | 'after' }
  | { readonly type: 'lock-held'; readonly step: string; readonly object: string; readonly ms: number }
  | { readonly type: 'lock-refused'; readonly query: string; readonly attempt: number; readonly blockers: readonly string[] }
  | { readonly type: 'sql'; readonly step: string; readonly text: string }
  | { readonly type: 'found'; readonly finding: Finding }
  | { readonly type: 'file-stored'; readonly name: string; readonly digest: string; readonly bytes: number; readonly expires: string | null }
  | { readonly type: 'command-line'; readonly step: string; readonly line: string }
  | { readonly type: 'said'; readonly text: string };

export type Doing = 'preflight' | 'apply' | 'verify' | 'undo' | 'watch' | 'cleanup';
export type Outcome = 'passed' | 'refused' | 'failed' | 'aborted';
export type Verdict = 'pass' | 'fail' | 'aborted' | 'not-measured';

/** One line of the table Check | Expected | Actual | Verdict. `criterion`: which of the seed's six success criteria it belongs to. */
export interface Check {
  readonly name: string;
  readonly criterion: 'types' | 'duplicates' | 'foreign-keys' | 'application' | 'data' | 'performance' | 'other';
  readonly expected: string;
  readonly actual: string;
  readonly verdict: Verdict;
}

/** Rows of one table through the work of a step. Counts are exact and of one snapshot each. */
export interface TableAccount {
  readonly step: string;
  /** schema.name */
  readonly table: string;
  readonly before: number | null;
  readonly after: number | null;
  readonly quarantined: number;
  /** content checksum of the table now (decimal text), or null when it was not taken */
  readonly checksum: string | null;
  /** how the data was proved: per key at one snapshot, by checksum, by count only */
  readonly proof: 'per-key' | 'checksum' | 'count' | 'none';
}

export interface Timing {
  readonly step: string;
  readonly what: string;
  /** ms since the phase began */
  readonly from: number;
  readonly ms: number;
}

export interface RollbackState {
  readonly possible: boolean;
  readonly until: string | null;
  readonly rehearsed: string | null;
  readonly backlog: number;
  /** steps, objects and keys in the way */
  readonly blockedBy: readonly Finding[];
}

/** A finished phase as data: job summary, JSON and HTML page are pure functions of it. */
export interface RunResult {
  readonly phase: string;
  readonly outcome: Outcome;
  readonly sentence: string;
  readonly plan: { readonly name: string; readonly id: string; readonly digest: string; readonly file: string };
  readonly database: string;
  readonly run: string | null;
  readonly who: string;
  readonly commit: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly toolVersion: string;
  readonly findings: readonly Finding[];
  readonly failure: { readonly fault: Fault; readonly message: string; readonly hint: string; readonly stack: string | null; readonly at: string } | null;
  readonly checks: readonly Check[];
  readonly tables: readonly TableAccount[];
  readonly notCompared: readonly string[];
  readonly locks: {
    readonly longestMs: number | null;
    readonly budgetMs: number;
    readonly held: readonly { readonly step: string; readonly object: string; readonly ms: number }[];
  };
  readonly rollback: RollbackState | null;
  readonly timings: readonly Timing[];
  readonly sql: readonly { readonly step: string; readonly text: string }[];
  readonly artifacts: readonly { readonly name: string; readonly digest: string; readonly bytes: number; readonly expires: string | null }[];
  /** free tables of a phase: drift lists, inspection facts, status; keys only, never row values */
  readonly sections: readonly Section[];
  readonly next: readonly { readonly who: string; readonly what: string }[];
  readonly outputs: Readonly<Partial<Record<OutputName, string>>>;
}

export interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

export const outputNames = [
  'outcome',
  'plan-id',
  'schema-fingerprint',
  'backup-id',
  'rehearsal-id',
  'run',
  'rows-compared',
  'rows-quarantined',
  'longest-lock-ms',
  'drift-detected',
  'rollback-possible',
  'report-path',
] as const;
export type OutputName = (typeof outputNames)[number];
