import { block, type Finding } from '../finding.js';
import { Journal, type RunState } from '../journal/journal.js';
import { overlaps, type Tie } from '../plan/overlap.js';
import { foreignKeys } from '../proof/references.js';
import type { StepOfRun, Work } from '../steps/all.js';
import type { Locked } from './arenas.js';

/** Runs that keep a relation from being touched by others: what they retired or changed must still be reversible. A rolled-back run holds nothing that is live. */
const holding: readonly RunState[] = ['migrating', 'migrated', 'failed', 'rolling-back', 'cleaning'];

/** Refusals (`held-by-run`) for steps that meet what an open run of their database holds (DECISIONS 14). */
export async function heldBy(
  locked: readonly Pick<Locked, 'name' | 'journalDb'>[],
  work: Pick<Work, 'plan' | 'kinds'>,
  steps: readonly StepOfRun[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const l of locked) {
    const open = (await Journal.readRuns(l.journalDb)).filter((r) => holding.includes(r.state));
    if (open.length === 0) continue;
    const ties: readonly Tie[] = (await foreignKeys(l.journalDb, work.plan.schemas)).map((fk) => ({ from: fk.child, to: fk.parent, constraint: fk.name }));
    for (const run of open) {
      for (const held of await Journal.readSteps(l.journalDb, run.id)) {
        if (held.state === 'undone' || held.state === 'cleaned') continue;
        for (const step of steps.filter((s) => s.database === l.name)) {
          const intent = work.kinds[step.kind]?.describe(step.spec, work.plan);
          if (intent === undefined) continue;
          const overlap = overlaps({ touches: held.holds.relations, schemas: held.holds.schemas, anything: held.holds.anything }, intent, {
            between: 'runs',
            ties,
          });
          if (overlap === null) continue;
          findings.push(
            block('held-by-run', `run ${run.id} (step ${held.id}) still holds ${overlap.object}: ${overlap.why}`, {
              step: step.id,
              object: overlap.object,
              hint: `Wait for the cleanup of run ${run.id}${run.retainUntil === null ? '' : ` (due ${run.retainUntil.slice(0, 10)})`}, or roll it back with confirm = ${run.id}.`,
            }),
          );
        }
      }
    }
  }
  return findings;
}
