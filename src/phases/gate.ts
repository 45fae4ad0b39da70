import { block } from '../finding.js';
import { kindNamed } from '../steps/index.js';
import { binding, findEvidence, putEvidence, rehearsalShape, type Approval } from './evidence.js';
import { humanGate } from './human-gate.js';
import type { Phase } from './phase.js';
import { Refusal, requirePlan } from './refusal.js';

/** Fixes what was approved: the newest passed rehearsal of this very plan. */
export const gate: Phase = {
  name: 'gate',
  needsPlan: true,
  needs: () => [],
  writes: 'nothing',
  async run(cx) {
    const plan = requirePlan(cx);
    const rehearsal = await findEvidence(cx, plan, 'production', 'rehearsal.json', rehearsalShape, 'rehearse');
    if (rehearsal.body.outcome !== 'passed') {
      throw new Refusal([
        block('rehearsal-failed', `the newest rehearsal of plan ${plan.id} did not pass (${rehearsal.name})`, {
          object: rehearsal.name,
          hint: 'Read its report, correct the plan, and rehearse again.',
        }),
      ]);
    }
    const gatekeeper = await humanGate(cx, plan);
    const approval: Approval = { ...binding(cx, plan), kind: 'approval', rehearsalId: rehearsal.id, how: gatekeeper.how, by: [...gatekeeper.by] };
    await putEvidence(cx, 'production', 'approval.json', approval);
    return {
      outcome: 'passed',
      sentence: `plan ${plan.id} is approved by ${gatekeeper.by.join(', ')} (${gatekeeper.how === 'typed' ? 'plan id typed' : 'required reviewers'}), on rehearsal ${rehearsal.id}`,
      findings: [],
      sections: [
        {
          title: 'What is approved',
          head: ['step', 'on', 'undo', 'rows that may be set aside'],
          rows: plan.steps.map((s) => {
            const approved = Object.entries(rehearsal.body.approved[s.id] ?? {}).filter(([, n]) => n > 0);
            return [
              s.id,
              s.on,
              kindNamed(s.kind)?.describe(s.spec, plan).undo ?? 'none',
              approved.map(([what, n]) => `${what}: ${String(n)}`).join(', ') || 'none',
            ];
          }),
        },
      ],
      outputs: {
        'rehearsal-id': rehearsal.id,
        'backup-id': rehearsal.body.databases.production?.backupId ?? '',
        'schema-fingerprint': rehearsal.body.databases.production?.fingerprint ?? '',
      },
      next: [{ who: 'the workflow', what: 'phase migrate, in the same run' }],
    };
  },
};
