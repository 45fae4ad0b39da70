import { block } from '../finding.js';
import type { Plan } from '../plan/plan.js';
import type { Approval } from './evidence.js';
import type { PhaseContext } from './phase.js';
import { Refusal } from './refusal.js';

/** The environment whose reviewers approve; it holds no secrets (PLATFORM T2, T3). */
export const approvalEnvironment = 'production-approval';

export interface HumanGate {
  readonly how: Approval['how'];
  readonly by: readonly string[];
}

/**
 * Proves that a human said yes: reviewers of the environment approved this run (read from the API, never from a file), or the plan
 * id was typed into `confirm`. A wrong confirmation is refused even where reviewers exist.
 */
export async function humanGate(cx: PhaseContext, plan: Plan): Promise<HumanGate> {
  const { confirm } = cx.inputs;
  if (confirm !== '' && confirm !== plan.id) {
    throw new Refusal([
      block('confirm-mismatch', `confirm is "${confirm}", expected the plan id ${plan.id}`, {
        object: 'confirm',
        hint: "Read the rehearsal's report and type the plan id that it shows.",
      }),
    ]);
  }
  if (cx.github !== null) {
    const reviewers = await cx.github.requiredReviewers(approvalEnvironment);
    if (reviewers.length > 0) {
      const approvals = await cx.github.approvals(approvalEnvironment);
      if (approvals.length > 0) return { how: 'reviewers', by: approvals.map((a) => a.by) };
      // a typed id is the way out only where no reviewer rule can exist (DECISIONS 6)
      throw new Refusal([
        block('approval-missing', `environment ${approvalEnvironment} has required reviewers, but none approved this run`, {
          object: approvalEnvironment,
          hint: 'Run gate and migrate in the workflow run whose review was approved.',
        }),
      ]);
    }
  }
  if (confirm === plan.id) return { how: 'typed', by: [cx.invocation.actor] };
  throw new Refusal([
    block('approval-missing', `no human gate: environment ${approvalEnvironment} has no required reviewers here, and the plan id was not typed`, {
      object: approvalEnvironment,
      hint: `Dispatch the workflow again with run-id of the rehearsal's run and confirm = ${plan.id} (or, where the plan of your account allows it, add required reviewers to the environment).`,
    }),
  ]);
}
