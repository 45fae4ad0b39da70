import type { Inputs } from './inputs.js';
import type { Event, RunResult } from './report/event.js';

/** Types only: what the inside asks of the outside. GitHub Actions is one implementation, a terminal the other. */

/** Synchronous, never throws, never awaited. */
export type Report = (event: Event) => void;

export interface ExecOptions {
  /** The child's whole environment beside PATH, HOME, LANG: nothing is inherited by accident. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal: AbortSignal;
  /** called for every line of either stream, as it comes */
  readonly onLine?: (line: string) => void;
  /** bytes for stdin */
  readonly stdin?: NodeJS.ReadableStream;
  /** receives stdout instead of it being collected (a dump goes straight into the cipher) */
  readonly stdout?: (stream: NodeJS.ReadableStream) => Promise<void>;
  /** runs the child as another user (a private PostgreSQL server refuses root); needs root */
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs a child in its own process group, forwards cancellation to the group, and throws CommandFailed on a non-zero end. argv[0] is a full path or found on PATH; no shell. */
export type Exec = (argv: readonly string[], options: ExecOptions) => Promise<{ readonly stdout: string }>;

export interface Clock {
  now(): Date;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Where evidence files travel between jobs. One contract test for all stores. */
export interface Store {
  readonly kind: 'directory' | 'github' | 's3';
  /** Stores the bytes of `path` under `name`; refuses a name that exists. Digest is lower-case sha256 hex of the stored bytes. */
  put(name: string, path: string): Promise<StoredFile>;
  /** Fetches `name` into the existing directory `into`, verified against the stored digest; returns the path. Missing: UserError that names it and where it was looked for. */
  get(name: string, into: string): Promise<string>;
  /** Names in the store, newest first, that start with `prefix`: of this run and of the run given by the input run-id (a directory without run-id: of all). */
  list(prefix: string): Promise<readonly StoredFile[]>;
}
export interface StoredFile {
  readonly name: string;
  readonly digest: string;
  readonly bytes: number;
  /** null: does not expire */
  readonly expires: Date | null;
}

/** Who asked for this run and from where; for journal and report. */
export interface Invocation {
  readonly actor: string;
  /** commit of the plan, or '' */
  readonly commit: string;
  /** GitHub run id, or a timestamp YYYYMMDDhhmmss in a terminal: `<run>` in file names */
  readonly run: string;
  /** GitHub run attempt, or '1' */
  readonly attempt: string;
  /** URL of the run page, or '' */
  readonly url: string;
  /** owner/name, or '' */
  readonly repository: string;
  /** started by cron: finding nothing to do is then fine */
  readonly scheduled: boolean;
}

export interface Host {
  readonly kind: 'actions' | 'terminal';
  readonly inputs: Inputs;
  readonly invocation: Invocation;
  readonly report: Report;
  readonly exec: Exec;
  /** the moved clock of the terminal (`--now`), or null: then the server's clock judges */
  readonly movedNow: Date | null;
  /** 0700 directory of this process for temporary files; removed at the end */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** GitHub REST, for approvals and issues; null in a terminal or without a token */
  readonly github: GitHub | null;
  store(): Promise<Store>;
  mask(secret: string): void;
  /** outputs, summary, exit code */
  finish(result: RunResult): Promise<void>;
}

export interface GitHub {
  /** reviewers of an environment's protection rules; [] when there are none or they cannot exist on this plan */
  requiredReviewers(environment: string): Promise<readonly string[]>;
  /** who approved this run for the environment, newest last; `at` is '' because GitHub does not say when */
  approvals(environment: string): Promise<readonly { readonly by: string; readonly at: string }[]>;
  /** opens the issue or comments on the open one with the same title; returns its URL */
  raiseIssue(title: string, body: string): Promise<string>;
}
