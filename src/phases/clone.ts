import { databasesOf, plural } from './arenas.js';
import type { Phase } from './phase.js';
import { requirePlan } from './refusal.js';
import { proveClone } from './restored-clone.js';

/** Fetches the newest backup of this very plan for each database it touches, decrypts, restores and compares it with its manifest. Only then does the backup count. */
export const clone: Phase = {
  name: 'clone',
  needsPlan: true,
  needs: () => [],
  writes: 'staging',
  async run(cx) {
    const plan = requirePlan(cx);
    const proved: Awaited<ReturnType<typeof proveClone>>[] = [];
    for (const name of databasesOf(plan)) proved.push(await proveClone(cx, name));
    const rows = proved.reduce((sum, p) => sum + p.compared.rowsCompared, 0);
    const [production] = proved;
    return {
      outcome: 'passed',
      sentence: `${proved.map((p) => `backup ${p.manifest.backupId} of ${p.manifest.database} was restored into ${p.where}, and all ${plural(p.manifest.tables.length, 'table')} are equal`).join('; ')}: ${plural(rows, 'row')} compared`,
      findings: proved.flatMap((p) => p.findings),
      checks: proved.flatMap((p) => p.compared.checks),
      tables: proved.flatMap((p) => p.compared.tables),
      notCompared: proved.flatMap((p) => p.compared.notCompared.map((what) => `${p.manifest.database}: ${what}`)),
      database: databasesOf(plan).join(' and '),
      outputs: {
        'backup-id': production?.manifest.backupId ?? '',
        'schema-fingerprint': production?.manifest.schemaFingerprint ?? '',
        'rows-compared': String(rows),
      },
      next: [{ who: 'the workflow', what: 'Run rehearse: it carries the plan out on such a clone, undoes it and carries it out again.' }],
    };
  },
};
