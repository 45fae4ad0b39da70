import { z } from 'zod';
import { display } from '../names.js';
import type { Plan } from '../plan/plan.js';
import { unvalidated } from '../proof/references.js';
import type { Work } from '../steps/all.js';
import type { RealDatabase } from './arenas.js';

export type Start = z.infer<typeof startShape>;

/** Evidence that the deploy hook was about to run: what was begun must be undone. */
export const deployEvidence = 'deploy';
export const wasDeployed = (evidence: Readonly<Record<string, unknown>>): boolean => Object.hasOwn(evidence, deployEvidence);

/** What a database was like before the first act of a run; later phases measure against it. */
export const startShape = z.object({
  /** constraints and indexes that were not valid before: `schema.table.name` */
  unvalidated: z.array(z.string()),
});

export async function startOf(arenas: Work['arenas'], database: RealDatabase, plan: Plan): Promise<Start> {
  const reader = arenas[database]?.reader;
  const loose = reader === undefined ? [] : await unvalidated(reader, plan.schemas);
  return { unvalidated: loose.map((u) => `${display(u.relation)}.${u.name}`) };
}
