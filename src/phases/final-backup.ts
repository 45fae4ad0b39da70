import { takeBackup } from '../backup/dump.js';
import { onPrivateServer } from '../backup/prove.js';
import { block, note, warn, type Finding } from '../finding.js';
import type { Plan } from '../plan/plan.js';
import type { Locked } from './arenas.js';
import { backupOptions } from './backup-options.js';
import { evidenceName, type Rehearsal } from './evidence.js';
import type { PhaseContext } from './phase.js';
import { Refusal } from './refusal.js';

/** The rehearsed backup counts for this long when the final one cannot be proved (DECISIONS 19). */
const freshMs = 24 * 3_600_000;

export interface FinalBackups {
  readonly findings: readonly Finding[];
  /** for the journal: the file to go back to when everything else fails, and whether it was restored and compared */
  readonly taken: Readonly<
    Partial<Record<Locked['name'], { readonly backupId: string; readonly name: string; readonly digest: string; readonly proved: boolean }>>
  >;
}

/**
 * A last backup of every database, before maintenance goes on. With an identity it is restored and compared on a private server; without
 * one it is stored and reported as not proved, and then the rehearsed backup must be younger than 24 hours.
 */
export async function finalBackup(cx: PhaseContext, plan: Plan, locked: readonly Locked[], rehearsal: Rehearsal): Promise<FinalBackups> {
  const provable = cx.inputs['backup-identity'] !== '' || cx.inputs['backup-passphrase'] !== '';
  const ageMs = cx.clock.now().getTime() - new Date(rehearsal.backupAt).getTime();
  if (!provable && !(ageMs <= freshMs)) {
    throw new Refusal([
      block(
        'backup-too-old',
        `the proved backup is from ${rehearsal.backupAt}, ${String(Math.floor(ageMs / 3_600_000))} hours ago; expected at most 24 when the final backup cannot be proved`,
        {
          object: rehearsal.databases.production?.backupId ?? '',
          hint: 'Run backup, clone and rehearse again, or give backup-identity so that the final backup is restored and compared.',
        },
      ),
    ]);
  }
  const findings: Finding[] = [];
  const taken: Partial<Record<Locked['name'], { backupId: string; name: string; digest: string; proved: boolean }>> = {};
  for (const l of locked) {
    const backup = await takeBackup(
      cx,
      { ...backupOptions(cx, plan, l.name), name: `${evidenceName(cx, l.name)}-final`, rowsOf: null },
      provable ? (local) => onPrivateServer(cx, local, () => Promise.resolve()) : undefined,
    );
    const { backupId, tables } = backup.manifest;
    const rows = tables.reduce((n, t) => n + t.rows, 0);
    taken[l.name] = { backupId, name: backup.dump.name, digest: backup.dump.digest, proved: provable };
    findings.push(...backup.findings);
    findings.push(
      provable
        ? note('backup-proved', `final backup ${backupId} of ${l.name}: ${String(rows)} rows, restored and compared`, { object: backup.dump.name })
        : warn(
            'backup-not-proved',
            `final backup ${backupId} of ${l.name} was stored but not proved; the backup on record is ${rehearsal.databases[l.name]?.backupId ?? 'none'}`,
            {
              object: backup.dump.name,
              hint: 'Give backup-identity to have it restored and compared.',
            },
          ),
    );
  }
  return { findings, taken };
}
