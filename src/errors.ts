import type { Finding, Where } from './finding.js';

/** What the failure is about: decides the exit code, whether a stack is shown, and who has to act. */
export type Fault = 'user' | 'database' | 'command' | 'bug' | 'aborted';

export interface More {
  readonly hint?: string;
  readonly at?: Where;
  readonly cause?: unknown;
}

/** Everything that is thrown on purpose. Messages: lower case, no full stop; the hint is a sentence. */
export abstract class Failure extends Error {
  abstract readonly fault: Fault;
  constructor(
    message: string,
    readonly more: More = {},
  ) {
    super(message, { cause: more.cause });
    this.name = new.target.name;
  }
}

/** The plan, an input or a grant must change: file, line and column, and what to write instead. No stack is shown. */
export class UserError extends Failure {
  readonly fault = 'user';
}

/** A user error whose reasons are findings: each is shown with its place and its hint. */
export class FaultsFound extends UserError {
  constructor(
    message: string,
    readonly findings: readonly Finding[],
    more?: More,
  ) {
    super(message, more);
  }
}

/** PostgreSQL said no, and `sqlstate.ts` has already decided that it is neither worth a retry nor the user's mistake. */
export class QueryFailed extends Failure {
  readonly fault = 'database';
  constructor(
    readonly query: string,
    readonly sqlstate: string,
    message: string,
    more?: More,
  ) {
    super(message, more);
  }
}

/** A lock did not come within the patience given. Nothing was changed; the blockers are named. */
export class LockNotGranted extends Failure {
  readonly fault = 'database';
  constructor(
    readonly query: string,
    readonly blockers: readonly string[],
    message: string,
    more?: More,
  ) {
    super(message, more);
  }
}

/** A child process ended badly: the redacted argv, the code and the last line it wrote. */
export class CommandFailed extends Failure {
  readonly fault = 'command';
  constructor(
    readonly argv: readonly string[],
    readonly exitCode: number,
    readonly lastLine: string,
    more?: More,
  ) {
    super(`${argv[0] ?? 'command'} exited with ${String(exitCode)}: ${lastLine}`, more);
  }
}

/** Somebody cancelled (signal, timeout of the job). What was done is in the journal; a re-run or a rollback continues from there. */
export class Aborted extends Failure {
  readonly fault = 'aborted';
}

/** An invariant of ours broke: the stack is shown, with the link to report it. */
export class Bug extends Failure {
  readonly fault = 'bug';
}

/** Anything not ours, thrown strings too, is a Bug that keeps its cause. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Bug(thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

/** A check after the act did not hold: what was expected, what was found. The step is recorded as failed and stays failed; the run is undone. */
export class NotProved extends Failure {
  readonly fault = 'database';
}
