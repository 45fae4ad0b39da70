import { takeBackup, type Backup } from '../backup/dump.js';
import { lockOf } from '../backup/cipher.js';
import { backupName } from '../backup/manifest.js';
import { QueryFailed } from '../errors.js';
import { warn, type Finding } from '../finding.js';
import type { Plan } from '../plan/plan.js';
import type { Check } from '../report/event.js';
import { steps as kinds } from '../steps/index.js';
import { databasesOf, plural, targetOf, type RealDatabase } from './arenas.js';
import { backupOptions } from './backup-options.js';
import { heldBy } from './held.js';
import type { Phase, PhaseContext } from './phase.js';
import { refuseIfBlocked, requirePlan } from './refusal.js';

/**
 * Dumps each database that the plan touches, encrypted, with a manifest of counts and checksums from the dump's own snapshot. It writes to no
 * database, and looks first whether an open run still holds what the plan touches. A backup counts only once `clone` has restored and compared it.
 */
export const backup: Phase = {
  name: 'backup',
  needsPlan: true,
  needs: (plan) => ['production-url', ...(plan !== null && databasesOf(plan).includes('development') ? (['development-url'] as const) : [])],
  writes: 'nothing',
  async run(cx) {
    const plan = requirePlan(cx);
    lockOf(cx.inputs);
    const held: Finding[] = [];
    for (const name of databasesOf(plan)) held.push(...(await heldIn(cx, plan, name)));
    refuseIfBlocked(held);
    const taken: Backup[] = [];
    for (const name of databasesOf(plan))
      taken.push(await takeBackup(cx, { ...backupOptions(cx, plan, name), name: backupName(name, cx.invocation), rowsOf: null }));
    const [production] = taken;
    const rows = taken.reduce((sum, b) => sum + rowsIn(b), 0);
    return {
      outcome: 'passed',
      sentence: `${taken.map((b) => `${b.manifest.database} is backed up as ${b.manifest.backupId}: ${plural(b.manifest.tables.length, 'table')}, ${plural(rowsIn(b), 'row')}, ${megabytes(b.dump.bytes)} encrypted`).join('; ')}; not yet proved`,
      findings: [...held, ...taken.flatMap((b) => b.findings)],
      database: databasesOf(plan).join(' and '),
      checks: taken.map(takenCheck),
      notCompared: taken.flatMap((b) => [
        ...b.manifest.notBackedUp.map((s) => `${b.manifest.database}: schema ${s.schema} is not backed up: ${s.why}`),
        ...b.manifest.notCompared.map((what) => `${b.manifest.database}: ${what}`),
      ]),
      outputs: {
        'backup-id': production?.manifest.backupId ?? '',
        'schema-fingerprint': production?.manifest.schemaFingerprint ?? '',
        'rows-compared': String(rows),
      },
      next: [{ who: 'the workflow', what: 'Run clone: it restores the backup and compares it; only then does it count.' }],
    };
  },
};

/** Relations of the plan that an open run of this database still holds (DECISIONS 14, 20). A reading role may be unable to look: that is said. */
async function heldIn(cx: PhaseContext, plan: Plan, name: RealDatabase): Promise<readonly Finding[]> {
  const reader = await cx.open(targetOf(cx, name), 'reader', 'lossless journal');
  const steps = plan.steps.map((s) => ({ id: s.id, kind: s.kind, database: s.on, spec: s.spec }));
  try {
    return await heldBy([{ name, journalDb: reader }], { plan, kinds }, steps);
  } catch (error) {
    if (!(error instanceof QueryFailed) || error.sqlstate !== '42501') throw error;
    return [
      warn('journal-not-readable', `the role ${reader.target.user} may not read the journal of ${name}, so open runs were not looked for`, {
        object: name,
        hint: `GRANT USAGE ON SCHEMA lossless and SELECT ON ALL TABLES IN SCHEMA lossless TO "${reader.target.user}".`,
      }),
    ];
  }
}

const takenCheck = (b: Backup): Check => ({
  name: `backup of ${b.manifest.database}`,
  criterion: 'other',
  expected: 'stored with the digest that was written, restored and compared by clone',
  actual: `${b.dump.name}, sha256 ${b.manifest.dump.digest.slice(0, 12)}…; not yet restored`,
  verdict: 'not-measured',
});

const rowsIn = (b: Backup): number => b.manifest.tables.reduce((sum, t) => sum + t.rows, 0);
const megabytes = (bytes: number): string => (bytes < 1e6 ? `${String(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
