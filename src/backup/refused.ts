import { UserError } from '../errors.js';
import type { Finding } from '../finding.js';

/** A backup was not taken or not restored, for reasons that are findings. Nothing was written but what our marker on the clone says. */
export class BackupRefused extends UserError {
  constructor(readonly findings: readonly [Finding, ...Finding[]]) {
    const [first, ...rest] = findings;
    super(rest.length === 0 ? first.message : `${first.message} (and ${String(rest.length)} more)`, first.hint === undefined ? {} : { hint: first.hint });
  }
}

export function refuseBlocking(findings: readonly Finding[]): void {
  const [first, ...rest] = findings.filter((f) => f.severity === 'block');
  if (first !== undefined) throw new BackupRefused([first, ...rest]);
}
