import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { draftPlan } from '../drift/draft.js';
import { survey, type Survey } from '../drift/survey.js';
import { tell } from '../drift/tell.js';
import { block, type Finding } from '../finding.js';
import { secretOf } from '../inputs.js';
import type { Target } from '../pg/connect.js';
import type { Plan } from '../plan/plan.js';
import { fingerprint } from '../proof/fingerprint.js';
import type { Phase, PhaseContext, PhaseResult } from './phase.js';

const usesDrizzle = (plan: Plan | null): boolean => plan?.steps.some((s) => s.kind === 'drizzle') === true;

/** Compares production with development, each at one snapshot and read-only; writes nothing but a drafted plan into the store. Drift is no failure: the phase passes and says what it found. */
export const drift: Phase = {
  name: 'drift',
  needsPlan: false,
  needs: (plan) => (usesDrizzle(plan) ? ['production-url'] : ['production-url', 'development-url']),
  writes: 'nothing',
  async run(cx) {
    const { production, development } = cx.targets;
    const missing = withoutTargets(cx.plan, production, development);
    if (production === null || development === null) return refused(missing);
    const schemas = cx.plan?.schemas ?? ['public'];
    const seen = await bothSides(cx, production, development, schemas);
    if (isFindings(seen)) return refused(seen);
    const told = tell(seen);
    const draft = draftPlan(seen, cx.clock.now());
    const file = draft === null ? null : await storeDraft(cx, draft);
    return {
      outcome: 'passed',
      sentence: sentence(told.detected, told.findings),
      database: `${seen.production.facts.database} and ${seen.development.facts.database}`,
      findings: told.findings,
      checks: told.checks,
      sections: told.sections,
      notCompared: told.notCompared,
      outputs: { 'drift-detected': String(told.detected), 'schema-fingerprint': fingerprint(seen.production.image) },
      next: [
        file === null
          ? { who: 'nobody', what: 'There is nothing to propose.' }
          : { who: 'maintainer', what: `Read the drafted plan ${file}, edit it, commit it as your plan and let check read it.` },
      ],
    };
  },
};

function withoutTargets(plan: Plan | null, production: Target | null, development: Target | null): readonly [Finding, ...Finding[]] {
  const absent = (input: 'production-url' | 'development-url'): Finding =>
    block('input-missing', `${input} is empty`, {
      object: input,
      hint: `Set the secret ${secretOf[input] ?? ''}; drift compares production with development.`,
    });
  if (production === null) return [absent('production-url'), ...(development === null && !usesDrizzle(plan) ? [absent('development-url')] : [])];
  if (!usesDrizzle(plan)) return [absent('development-url')];
  return [
    block(
      'drift-drizzle-later',
      "there is no development-url, and comparing production with the schema that the plan's Drizzle migrations build comes with a later version",
      {
        hint: `Set the secret ${secretOf['development-url'] ?? ''} to compare with development.`,
      },
    ),
  ];
}

/** One read-only REPEATABLE READ transaction per side: everything said about a database is of one moment. */
async function bothSides(cx: PhaseContext, production: Target, development: Target, schemas: readonly string[]): Promise<Survey | readonly Finding[]> {
  const [ours, theirs] = await Promise.all([cx.open(production, 'snapshot'), cx.open(development, 'snapshot')]);
  const snapshot = { isolation: 'repeatable read', readOnly: true } as const;
  return ours.transaction((p) => theirs.transaction((d) => survey(p, d, schemas), { ...snapshot, retry: false }), snapshot);
}

const isFindings = (seen: Survey | readonly Finding[]): seen is readonly Finding[] => Array.isArray(seen);

async function storeDraft(cx: PhaseContext, draft: string): Promise<string> {
  const name = `lossless-production-${cx.invocation.run}-${cx.invocation.attempt}.plan-draft.yml`;
  const path = join(cx.scratch, name);
  await writeFile(path, draft, { mode: 0o600 });
  const stored = await (await cx.store()).put(name, path);
  cx.report({ type: 'file-stored', name, digest: stored.digest, bytes: stored.bytes, expires: stored.expires?.toISOString() ?? null });
  return name;
}

function sentence(detected: boolean, findings: readonly Finding[]): string {
  const warned = findings.filter((f) => f.severity === 'warn').length;
  if (!detected && warned === 0) return 'Production and development have the same schema, and nothing in their data stands out.';
  if (!detected)
    return `Production and development have the same schema; ${String(warned)} thing${warned === 1 ? '' : 's'} in their data stand${warned === 1 ? 's' : ''} out.`;
  return `Production differs from development: ${String(warned)} finding${warned === 1 ? '' : 's'}.`;
}

const refused = (findings: readonly Finding[]): PhaseResult => ({
  outcome: 'refused',
  sentence: findings.length === 1 ? (findings[0]?.message ?? '') : `${findings[0]?.message ?? ''} (and ${String(findings.length - 1)} more)`,
  findings,
});
