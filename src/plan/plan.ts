import type { Finding, Where } from '../finding.js';
import type { Relation } from '../names.js';

/** A plan that was read, checked and identified. Paths are relative to the plan file and '/'-separated. */
export interface Plan extends PlanFrame {
  readonly name: string;
  /** path of the plan file as given, for messages */
  readonly file: string;
  /** absolute directory of the plan file; '' when the plan came out of the journal */
  readonly dir: string;
  /** sha256 hex over the plan and every file it names */
  readonly digest: string;
  /** first 12 hex of the digest: `plan-id` */
  readonly id: string;
  readonly retentionMs: number;
  readonly maxLockMs: number;
  readonly steps: readonly PlanStep[];
  readonly verify: PlanVerify;
  readonly watch: PlanWatch;
  readonly maintenance: { readonly on: string; readonly off: string } | null;
  readonly deploy: { readonly run: string; readonly undo: string | null } | null;
  readonly files: PlanFiles;
  /** hazards and remarks that need only the plan and its files, not yet judged by `allow` */
  readonly findings: readonly Finding[];
  /** the text it was read from: the journal stores it, and reads the plan from it again */
  readonly source: string;
}

/** The part of a plan that a step may know. */
export interface PlanFrame {
  readonly schemas: readonly string[];
  readonly recycleConnections: boolean;
  readonly strict: boolean;
  /** null: the plan has none, so no command is ever alone with the database; absent: not known here */
  readonly maintenance?: { readonly on: string; readonly off: string } | null;
}

export interface PlanStep {
  readonly id: string;
  /** a key of the step registry */
  readonly kind: string;
  readonly on: 'production' | 'development';
  /** parsed by the kind's schema */
  readonly spec: unknown;
  readonly at: Where;
}

export interface PlanVerify {
  /** application test command, run against the clone with DATABASE_URL */
  readonly test: string | null;
  readonly queries: readonly PlanQuery[];
  readonly workload: readonly { readonly name: string; readonly sql: string; readonly maxRatio: number }[];
}
export interface PlanQuery {
  readonly name: string;
  readonly sql: string;
  /** a scalar, or rows of text */
  readonly expect: string | readonly (readonly (string | null)[])[];
}
export interface PlanWatch {
  readonly health: string | null;
  readonly queries: readonly PlanQuery[];
}

/** Bytes of every file the plan names, read once: on disk or from the journal. */
export interface PlanFiles {
  /** relative paths, sorted; the plan itself is not among them */
  readonly names: readonly string[];
  /** UserError when the plan did not name it */
  text(path: string): string;
  bytes(path: string): Uint8Array;
}

/** What a kind tells the reader about a spec beyond its schema. */
export interface KindReading {
  /** relative paths of files (or folders, taken whole) that the spec names and the digest must cover */
  files(spec: unknown): readonly string[];
  /** command texts whose words may name repository files */
  commands(spec: unknown): readonly string[];
  /** relations that its files change beyond those its step declares; default none */
  touches?(spec: unknown, files: PlanFiles, plan: PlanFrame): Promise<readonly Relation[]>;
  /** faults and hazards that need only the plan and its files, with their places (hazards of SQL, undo: none …) */
  check(spec: unknown, files: PlanFiles, at: (path: readonly (string | number)[]) => Where): Promise<readonly Finding[]>;
}

/**
 * `schema.table`, or a bare table in the first schema of the plan; names are literal, one dot separates; `[schema, name]` when a name holds a dot.
 */
export function relation(written: string | readonly [string, string], plan: PlanFrame): Relation {
  if (typeof written !== 'string') return { schema: written[0], name: written[1] };
  const dot = written.indexOf('.');
  return dot < 0 ? { schema: plan.schemas[0] ?? 'public', name: written } : { schema: written.slice(0, dot), name: written.slice(dot + 1) };
}
