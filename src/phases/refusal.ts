import { UserError } from '../errors.js';
import type { Finding } from '../finding.js';

/** We chose not to act, for reasons that are findings; nothing was changed. */
export class Refusal extends UserError {
  constructor(
    readonly findings: readonly [Finding, ...Finding[]],
    sentence?: string,
  ) {
    super(sentence ?? findings[0].message, findings[0].hint === undefined ? {} : { hint: findings[0].hint });
  }
}

/** Throws when any of them blocks. */
export function refuseIfBlocked(findings: readonly Finding[], sentence?: string): void {
  const [first, ...rest] = findings.filter((f) => f.severity === 'block');
  if (first !== undefined)
    throw new Refusal([first, ...rest], sentence ?? (rest.length === 0 ? first.message : `${first.message} (and ${String(rest.length)} more)`));
}
