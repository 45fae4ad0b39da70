import { UserError } from '../errors.js';
import { block, type Finding } from '../finding.js';
import type { Plan } from '../plan/plan.js';
import type { PhaseContext } from './phase.js';

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

/** The plan of a phase that needs one. */
export function requirePlan(cx: PhaseContext): Plan {
  if (cx.plan !== null) return cx.plan;
  throw new Refusal([block('plan-not-found', `there is no plan at ${cx.inputs.plan}`, { object: 'plan', hint: 'Give the path of the plan file.' })]);
}
