import { block, blocking, warn, type Finding } from '../finding.js';
import { findingCodes } from '../finding-codes.js';
import { inputTable, type Settings } from '../inputs.js';
import { display } from '../names.js';
import { closest } from '../plan/faults.js';
import { accept } from '../plan/hazards.js';
import type { Plan } from '../plan/plan.js';
import type { Section } from '../report/event.js';
import { steps } from '../steps/index.js';
import type { AnyStep, Intent } from '../steps/step.js';
import type { Phase } from './phase.js';

/** Consequences that `allow` accepts beside hazards by their code and `keep-<step-id>` (DECISIONS 16, 21). They show in later phases only. */
const consequences = ['reverse-conflict', 'schema-changed', 'expiring-archive'] as const;

const day = 86_400_000;
/** Artifacts outlive the retention by this, so that a late cleanup still finds its evidence (DECISIONS 21). */
const reserveDays = 7;

const undoWords: Readonly<Record<Intent['undo'], string>> = {
  exact: 'exact',
  'until-cleanup': 'exact until the cleanup',
  none: 'none: only the backup helps',
  'nothing-to-undo': 'nothing to undo',
};

/**
 * Reads the plan and judges what can be judged without a database: faults of form (run.ts refuses them before this runs, all at once),
 * hazards of the SQL, what cannot be undone, consents that match nothing. Writes nothing, connects nowhere.
 */
export const check: Phase = {
  name: 'check',
  needsPlan: true,
  needs: () => [],
  writes: 'nothing',
  run(cx) {
    const { plan, settings } = cx;
    if (plan === null)
      return Promise.resolve({
        outcome: 'refused',
        sentence: 'there is no plan',
        findings: [block('plan-not-found', 'there is no plan', { hint: inputTable.plan.about })],
      });
    const findings = judge(plan, settings);
    for (const finding of findings) cx.report({ type: 'found', finding });
    const faults = blocking(findings).length;
    const warnings = findings.filter((finding) => finding.severity === 'warn').length;
    const about = `plan ${plan.id} (${plan.name}): ${amount(plan.steps.length, 'step')}, ${amount(plan.files.names.length, 'file')}, ${amount(faults, 'fault')}, ${amount(warnings, 'warning')}`;
    return Promise.resolve({
      outcome: faults === 0 ? 'passed' : 'refused',
      sentence: about,
      findings,
      sections: [stepsSection(plan), filesSection(plan)],
      next: [
        faults === 0
          ? { who: 'you', what: 'Run drift and backup, then rehearse: only a rehearsal on a copy of the data shows whether the plan works.' }
          : { who: 'the author of the plan', what: 'Correct what is listed, or accept a hazard by its name with the input allow.' },
      ],
      outputs: { 'plan-id': plan.id },
    });
  },
};

/** Everything that can be said about a plan without a database, judged by `allow`. */
export function judge(plan: Plan, settings: Settings): readonly Finding[] {
  const retentionDays = Math.ceil(plan.retentionMs / day);
  const kept: Finding[] =
    settings.retentionDays < retentionDays + reserveDays
      ? [
          block(
            'retention-too-short',
            `retention-days is ${String(settings.retentionDays)}, the plan keeps everything reversible for ${amount(retentionDays, 'day')}: evidence and archives would expire first`,
            {
              at: { file: plan.file },
              object: 'retention-days',
              hint: `Set the input retention-days to at least ${String(retentionDays + reserveDays)}.`,
            },
          ),
        ]
      : [];
  return [...kept, ...accept(plan.findings, settings.allow), ...irreversible(plan, settings.allow), ...unmatched(plan, settings.allow)];
}

function irreversible(plan: Plan, allow: ReadonlySet<string>): readonly Finding[] {
  const own = plan.steps.flatMap((step) =>
    intentOf(plan, step.kind, step.spec)?.undo === 'none' && !plan.findings.some((finding) => finding.code === 'undo-none' && finding.step === step.id)
      ? [
          warn('undo-none', `cannot be undone${allow.has(`keep-${step.id}`) ? `, and a rollback keeps it (accepted by allow: keep-${step.id})` : ''}`, {
            at: step.at,
            step: step.id,
            hint: allow.has(`keep-${step.id}`)
              ? 'The approver sees this at the gate.'
              : `Give it an undo, or know that a rollback is refused unless allow: keep-${step.id}.`,
          }),
        ]
      : [],
  );
  const deploy =
    plan.deploy !== null && plan.deploy.undo === null
      ? [
          warn('undo-none', 'the deploy hook cannot be undone: a rollback leaves the new code running on the old schema', {
            at: { file: plan.file },
            object: 'deploy',
            hint: 'Give deploy an undo.',
          }),
        ]
      : [];
  return [...own, ...deploy];
}

/** A misspelt consent would be noticed only when the phase that needs it refuses, perhaps during an incident. */
function unmatched(plan: Plan, allow: ReadonlySet<string>): readonly Finding[] {
  const keeps = plan.steps.map((step) => `keep-${step.id}`);
  const known = [...consequences, ...keeps, ...Object.keys(findingCodes)];
  return [...allow].sort().flatMap((name) => {
    if (known.includes(name)) return [];
    const near = closest(name, known);
    return [
      warn('allow-unmatched', `allow names "${name}", which nothing in this plan or version is called`, {
        object: name,
        hint: near === null ? 'Remove it from the input allow.' : `Did you mean "${near}"?`,
      }),
    ];
  });
}

const intentOf = (plan: Plan, kind: string, spec: unknown): Intent | null => (steps as Readonly<Record<string, AnyStep>>)[kind]?.describe(spec, plan) ?? null;

function stepsSection(plan: Plan): Section {
  const rows = plan.steps.map((step) => {
    const intent = intentOf(plan, step.kind, step.spec);
    const touches = [
      ...(intent?.touches.map(display) ?? []),
      ...(intent?.schemas.map((schema) => `schema ${schema}`) ?? []),
      ...(intent?.anything === true ? [`any table of ${plan.schemas.join(', ')}`] : []),
    ];
    return [
      step.id,
      step.on,
      step.kind,
      intent?.title ?? '',
      touches.join(', ') || 'nothing',
      intent?.heaviestLock ?? '',
      intent === null ? '' : undoWords[intent.undo],
    ];
  });
  return { title: 'Steps', head: ['step', 'database', 'kind', 'what', 'touches', 'heaviest lock', 'undo'], rows };
}

function filesSection(plan: Plan): Section {
  const rows = [[plan.file, 'the plan'], ...plan.files.names.map((name) => [name, `${String(plan.files.bytes(name).byteLength)} bytes`])];
  return { title: 'Covered by the plan id', head: ['file', 'what'], rows, note: `sha256 ${plan.digest}; a change of any of these is another plan.` };
}

const amount = (n: number, of: string): string => `${String(n)} ${of}${n === 1 ? '' : 's'}`;
