import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Failure } from '../errors.js';
import type { Invocation } from '../ports.js';
import type { RunResult } from '../report/event.js';
import { page } from '../report/page.js';

const codes = { passed: 0, refused: 2, failed: 1, aborted: 3 } as const;
const BUG = 70;

/** Exit code of the process in a terminal: passed 0, failed 1, refused 2, aborted 3, a bug of ours 70. */
export const exitCodeOf = (result: Pick<RunResult, 'outcome' | 'failure'>): number => (result.failure?.fault === 'bug' ? BUG : codes[result.outcome]);

/** The same for what was thrown before there was a result. */
export function exitCodeOfFailure(failure: Failure): number {
  switch (failure.fault) {
    case 'user':
      return codes.refused;
    case 'aborted':
      return codes.aborted;
    case 'bug':
      return BUG;
    case 'database':
    case 'command':
      return codes.failed;
  }
}

/** `lossless-<database>-<run>-<attempt>.<phase>`: all phases of one GitHub run share run and attempt, so the phase keeps their reports apart. */
const reportName = (result: RunResult, by: Invocation): string =>
  `lossless-${result.database === '' ? 'plan' : result.database.replace(/[^\w-]/g, '_')}-${by.run}-${by.attempt}.${result.phase.replace(/[^\w-]/g, '_')}`;

/** Writes `….report.html` and `….report.json` (0600) into `directory`; returns both paths. */
export async function writeReports(directory: string, result: RunResult, by: Invocation): Promise<{ readonly html: string; readonly json: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const base = join(directory, reportName(result, by));
  const paths = { html: `${base}.report.html`, json: `${base}.report.json` };
  await writeFile(paths.html, page(result), { mode: 0o600 });
  await writeFile(paths.json, `${JSON.stringify(result, null, 2)}\n`, { mode: 0o600 });
  return paths;
}

/** Outputs as `name=value` lines. They are dumb tokens; a line end in one would be a bug, and here it would forge another output. */
export const outputLines = (outputs: RunResult['outputs']): string =>
  Object.entries(outputs)
    .map(([name, value]) => `${name}=${value.replace(/[\r\n]+/g, ' ')}\n`)
    .join('');
