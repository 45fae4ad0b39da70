import { createHash } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { block } from '../finding.js';
import type { Plan } from '../plan/plan.js';
import type { PhaseContext } from './phase.js';
import { Refusal } from './refusal.js';

/** What every evidence file names, so that production is changed only by exactly what was rehearsed and approved (DECISIONS 1). */
const bound = {
  version: z.literal(1),
  planDigest: z.string(),
  planId: z.string(),
  planName: z.string(),
  toolVersion: z.string(),
  allow: z.array(z.string()),
  maxLockMs: z.number(),
  at: z.string(),
};

const perDatabase = z.object({ fingerprint: z.string(), backupId: z.string() });

export const rehearsalShape = z.object({
  ...bound,
  kind: z.literal('rehearsal'),
  outcome: z.enum(['passed', 'failed']),
  /** per database of the plan: schema fingerprint and the backup it was rehearsed on */
  databases: z.partialRecord(z.enum(['production', 'development']), perDatabase),
  /** step id → counts that the approver accepts */
  approved: z.record(z.string(), z.record(z.string(), z.number())),
  longestLockMs: z.number().nullable(),
  /** the backup's dump was taken at */
  backupAt: z.string(),
  legs: z.array(z.object({ name: z.string(), ms: z.number(), outcome: z.string() })),
});
export type Rehearsal = z.infer<typeof rehearsalShape>;

export const approvalShape = z.object({
  ...bound,
  kind: z.literal('approval'),
  rehearsalId: z.string(),
  how: z.enum(['reviewers', 'typed']),
  by: z.array(z.string()),
});
export type Approval = z.infer<typeof approvalShape>;

export type Suffix = 'rehearsal.json' | 'approval.json' | 'manifest.json';

/** What this plan and these inputs bind evidence to. */
export const binding = (
  cx: PhaseContext,
  plan: Plan,
): Omit<Rehearsal, 'kind' | 'outcome' | 'databases' | 'approved' | 'longestLockMs' | 'backupAt' | 'legs'> => ({
  version: 1,
  planDigest: plan.digest,
  planId: plan.id,
  planName: plan.name,
  toolVersion: cx.toolVersion,
  allow: [...cx.settings.allow].sort(),
  maxLockMs: cx.settings.maxLockMs ?? plan.maxLockMs,
  at: cx.clock.now().toISOString(),
});

/** `lossless-<database>-<run>-<attempt>` */
export const evidenceName = (cx: PhaseContext, database: string): string => `lossless-${database}-${cx.invocation.run}-${cx.invocation.attempt}`;

export const idOf = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

/** Writes an evidence file into the store; returns its id (12 hex of its digest). */
export async function putEvidence(cx: PhaseContext, database: string, suffix: Suffix, body: Rehearsal | Approval): Promise<string> {
  const text = `${JSON.stringify(body, null, 2)}\n`;
  const name = `${evidenceName(cx, database)}.${suffix}`;
  const path = join(await mkdtemp(join(cx.scratch, 'evidence-')), name);
  await writeFile(path, text, { mode: 0o600 });
  const stored = await (await cx.store()).put(name, path);
  cx.report({ type: 'file-stored', name, digest: stored.digest, bytes: stored.bytes, expires: stored.expires?.toISOString() ?? null });
  return idOf(text);
}

export interface Found<T> {
  readonly body: T;
  readonly id: string;
  readonly name: string;
}

/**
 * The newest evidence of a kind for this very plan, in the store (of run-id, when given). Refuses when there is none, and says
 * apart when there is one for another plan, other `allow`, another `max-lock` or another version.
 */
export async function findEvidence<T extends { planDigest: string; planId: string; toolVersion: string; allow: string[]; maxLockMs: number }>(
  cx: PhaseContext,
  plan: Plan,
  database: string,
  suffix: Suffix,
  shape: z.ZodType<T>,
  madeBy: string,
): Promise<Found<T>> {
  const store = await cx.store();
  const run = cx.inputs['run-id'];
  const files = (await store.list(`lossless-${database}-`)).filter((f) => f.name.endsWith(`.${suffix}`));
  const where = run === '' ? 'the store' : `run ${run}`;
  let other: T | null = null;
  for (const file of files) {
    const text = await readFile(await store.get(file.name, await mkdtemp(join(cx.scratch, 'evidence-'))), 'utf8');
    const parsed = shape.safeParse(jsonOrNull(text));
    if (!parsed.success) {
      throw new Refusal([
        block('evidence-invalid', `${file.name} is not evidence that this version can read: ${z.prettifyError(parsed.error)}`, {
          object: file.name,
          hint: `Run ${madeBy} again.`,
        }),
      ]);
    }
    if (parsed.data.planDigest === plan.digest) {
      checkBinding(cx, plan, file.name, parsed.data, madeBy);
      return { body: parsed.data, id: idOf(text), name: file.name };
    }
    other ??= parsed.data;
  }
  if (other !== null) {
    throw new Refusal([
      block(
        'plan-changed',
        `the plan is ${plan.id}, but what ${madeBy} left in ${where} is for plan ${other.planId}: the plan or a file it names has changed since`,
        {
          object: plan.file,
          hint: 'Rehearse and approve the plan as it is now, or go back to the commit that was rehearsed.',
        },
      ),
    ]);
  }
  throw new Refusal([
    block('evidence-missing', `no ${suffix} for plan ${plan.id} in ${where}`, {
      object: suffix,
      hint: `Run phase ${madeBy} first (or give the run-id of the run that did, and the store it used).`,
    }),
  ]);
}

const jsonOrNull = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
};

function checkBinding(cx: PhaseContext, plan: Plan, file: string, body: { toolVersion: string; allow: string[]; maxLockMs: number }, madeBy: string): void {
  const now = binding(cx, plan);
  const hint = `Use the values of that run, or run ${madeBy} again with the new ones.`;
  if (body.toolVersion !== now.toolVersion)
    throw new Refusal([block('tool-version-changed', `${file} was made by version ${body.toolVersion}, this is ${now.toolVersion}`, { object: file, hint })]);
  if (body.maxLockMs !== now.maxLockMs)
    throw new Refusal([
      block('max-lock-changed', `${file} was made with max-lock ${String(body.maxLockMs)} ms, now it is ${String(now.maxLockMs)} ms`, { object: file, hint }),
    ]);
  if ([...body.allow].sort().join(' ') !== now.allow.join(' ')) {
    throw new Refusal([
      block('allow-changed', `${file} was made with allow "${[...body.allow].sort().join(' ')}", now it is "${now.allow.join(' ')}"`, { object: file, hint }),
    ]);
  }
}
