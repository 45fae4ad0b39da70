import type { Check, RunResult, Verdict } from './event.js';

/** The seed's six success criteria, in its order and words. */
const criteria = [
  ['types', 'All type mismatches resolved'],
  ['duplicates', 'No duplicate tables'],
  ['foreign-keys', 'All foreign keys valid'],
  ['application', 'Application works without errors'],
  ['data', 'No data loss'],
  ['performance', 'Performance maintained or improved'],
] as const satisfies readonly (readonly [Check['criterion'], string])[];

export interface CheckRow {
  /** the criterion's title on its first row, '' on further rows of the same one and on checks of no criterion */
  readonly criterion: string;
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  /** null: not measured in this run, so there is no verdict */
  readonly verdict: Exclude<Verdict, 'not-measured'> | null;
}

/** The six criteria first, each with its checks or the statement that this run did not measure it; then the other checks. */
export function checkRows(result: Pick<RunResult, 'checks'>): readonly CheckRow[] {
  const rows = criteria.flatMap(([criterion, title]): CheckRow[] => {
    const own = result.checks.filter((c) => c.criterion === criterion);
    if (own.length === 0) return [{ criterion: title, name: '', expected: '', actual: 'not measured in this run', verdict: null }];
    return own.map((c, i) => row(c, i === 0 ? title : ''));
  });
  return [...rows, ...result.checks.filter((c) => c.criterion === 'other').map((c) => row(c, ''))];
}

const row = (c: Check, criterion: string): CheckRow => ({
  criterion,
  name: c.name,
  expected: c.expected,
  actual: c.actual,
  verdict: c.verdict === 'not-measured' ? null : c.verdict,
});

/** Whether and until when a rollback is possible, in one sentence. */
export function rollbackSentence(rollback: RunResult['rollback']): string {
  if (rollback === null) return 'This phase did not look at it.';
  const rehearsed = rollback.rehearsed === null ? 'It was not rehearsed.' : `It was rehearsed (${rollback.rehearsed}).`;
  if (!rollback.possible)
    return `Not possible now${rollback.blockedBy.length === 0 ? '' : `: ${String(rollback.blockedBy.length)} ${rollback.blockedBy.length === 1 ? 'thing stands' : 'things stand'} in the way, listed below`}. ${rehearsed}`;
  const until = rollback.until === null ? 'Possible' : `Possible until ${minute(rollback.until)}`;
  return `${until}${rollback.backlog === 0 ? '' : `, ${String(rollback.backlog)} keys to carry back`}. ${rehearsed}`;
}

/** `2026-11-22 16:04 UTC` */
export const minute = (iso: string): string => (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(iso) ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : iso);

/** What the locks line says: the longest against the budget, or that none was measured. */
export const locksWithin = (locks: RunResult['locks']): boolean | null => (locks.longestMs === null ? null : locks.longestMs <= locks.budgetMs);

/** Lines of the failure that neither the sentence nor a blocking finding says already. */
export function failureLines(result: Pick<RunResult, 'failure' | 'findings' | 'sentence'>): readonly string[] {
  if (result.failure === null || result.findings.some((f) => f.severity === 'block')) return [];
  const lines = result.failure.message.split('\n');
  return lines[0] === result.sentence ? lines.slice(1) : lines;
}

/** The sentence as the head of a page. */
export const headline = (sentence: string): string => sentence.charAt(0).toUpperCase() + sentence.slice(1);
