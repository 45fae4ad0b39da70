import type { FindingCode } from './finding-codes.js';

/** A place in a file of the user's: 1-based line and column. */
export interface Where {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** block: we refuse to act. warn: shown, and acted upon all the same. note: a fact worth saying. */
export type Severity = 'block' | 'warn' | 'note';

/** Something noticed: an expected refusal, a hazard, a fact. Never a row value: keys and counts only. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** What was found and what was expected: lower case, no full stop. */
  readonly message: string;
  /** What to do next: a sentence. */
  readonly hint?: string;
  readonly at?: Where;
  /** id of the plan's step */
  readonly step?: string;
  /** the relation, constraint, input … it is about */
  readonly object?: string;
  /** keys of the rows it is about, as text; at most 100 */
  readonly keys?: readonly string[];
  readonly count?: number;
}

type Rest = Omit<Finding, 'code' | 'severity' | 'message'>;
export const block = (code: FindingCode, message: string, rest: Rest = {}): Finding => ({ code, severity: 'block', message, ...rest });
export const warn = (code: FindingCode, message: string, rest: Rest = {}): Finding => ({ code, severity: 'warn', message, ...rest });
export const note = (code: FindingCode, message: string, rest: Rest = {}): Finding => ({ code, severity: 'note', message, ...rest });

export const blocking = (findings: readonly Finding[]): readonly Finding[] => findings.filter((f) => f.severity === 'block');
