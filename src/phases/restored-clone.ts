import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyOf, type Key } from '../backup/cipher.js';
import { findClient } from '../backup/client.js';
import { manifestShape, type Manifest } from '../backup/manifest.js';
import { onPrivateServer, type Proved } from '../backup/prove.js';
import { compareWithManifest, dropOurs, restoreBackup } from '../backup/restore.js';
import { isSameDatabase } from '../backup/same-database.js';
import { emptyStaging, readMarker, requireReplaceable, writeMarker } from '../backup/staging.js';
import { block, blocking, note } from '../finding.js';
import type { Target } from '../pg/connect.js';
import type { RealDatabase } from './arenas.js';
import { findEvidence } from './evidence.js';
import type { PhaseContext } from './phase.js';
import { Refusal, refuseIfBlocked, requirePlan } from './refusal.js';

/**
 * Gives `work` a verified clone of the newest backup of this very plan, and cleans up after it, pass or fail. Production goes to staging when there
 * is a staging-url: the untouched clone that `clone` left there if it is of this backup, else it is restored and compared again. Development, and
 * everything without a staging-url, goes to a private server that is thrown away. Refuses what `clone` refuses.
 */
export async function restoredClone<T>(cx: PhaseContext, database: RealDatabase, work: (target: Target, manifest: Manifest) => Promise<T>): Promise<T> {
  const manifest = await manifestOf(cx, database);
  const staging = stagingFor(cx, database);
  if (staging === null) return withDump(cx, manifest, (dump) => onPrivateServer(cx, { manifest, ...dump }, (clone) => work(clone.target, manifest)));
  await refuseRealDatabases(cx, staging);
  const marker = await readMarker(cx, staging);
  if (marker?.state !== 'verified' || marker.backupId !== manifest.backupId) await toStaging(cx, manifest, staging);
  await writeMarker(cx, staging, { state: 'in-use', backupId: manifest.backupId });
  try {
    return await work(staging, manifest);
  } finally {
    // a cancelled run cannot clean up; the marker still says that this is a clone of ours, so the next one replaces it
    if (!cx.signal.aborted) {
      await emptyStaging(cx, staging);
      await writeMarker(cx, staging, { state: 'emptied', backupId: manifest.backupId });
    }
  }
}

/** Restores the newest backup of this plan and compares it; staging keeps it, a private server is thrown away. */
export async function proveClone(cx: PhaseContext, database: RealDatabase): Promise<Omit<Proved, 'target'> & { readonly where: string }> {
  const manifest = await manifestOf(cx, database);
  const staging = stagingFor(cx, database);
  if (staging !== null) {
    await refuseRealDatabases(cx, staging);
    return { ...(await toStaging(cx, manifest, staging)), where: `the staging database ${staging.database}` };
  }
  const proved = await withDump(cx, manifest, (dump) => onPrivateServer(cx, { manifest, ...dump }, (clone) => Promise.resolve(clone)));
  return { ...proved, where: 'a private server, thrown away' };
}

/** One staging database holds one clone, and both may be needed at a time: production's has it. */
const stagingFor = (cx: PhaseContext, database: RealDatabase): Target | null => (database === 'production' ? cx.targets.staging : null);

async function toStaging(cx: PhaseContext, manifest: Manifest, staging: Target): Promise<Omit<Proved, 'target'>> {
  const db = await cx.open(staging, 'reader', 'lossless clone');
  const major = Math.trunc(db.version / 10_000);
  if (major !== manifest.server.major) {
    throw new Refusal([
      block('staging-other-major', `staging runs PostgreSQL ${String(major)}, ${manifest.database} ${String(manifest.server.major)}`, {
        object: 'staging-url',
        hint: 'Give a staging server of the same major version: another one has other locks, plans and types.',
      }),
    ]);
  }
  await requireReplaceable(cx, staging);
  const tools = await findClient({ exec: cx.exec, signal: cx.signal, major, postgresBin: cx.inputs['postgres-bin'] });
  return withDump(cx, manifest, async (dump) => {
    await writeMarker(cx, staging, { state: 'restoring', backupId: manifest.backupId });
    await emptyStaging(cx, staging);
    const left = await restoreBackup(cx, { manifest, ...dump, target: staging, tools, owners: false });
    const compared = await compareWithManifest(cx, manifest, staging);
    refuseIfBlocked(blocking(compared.findings));
    await dropOurs(cx, staging);
    await writeMarker(cx, staging, { state: 'verified', backupId: manifest.backupId });
    const said = note('clone-without-owners', 'in staging everything belongs to its own user and has no grants; owners and grants are not rehearsed there', {
      object: staging.database,
    });
    return { manifest, compared, findings: [...tools.findings, ...left, said] };
  });
}

/** The encrypted dump in the scratch directory, with the key to it, as long as `work` runs. */
async function withDump<T>(cx: PhaseContext, manifest: Manifest, work: (dump: { readonly path: string; readonly key: Key }) => Promise<T>): Promise<T> {
  const key = keyOf(cx.inputs);
  if (key === null) {
    throw new Refusal([
      block('input-missing', 'neither backup-identity nor backup-passphrase is set, and the backup is encrypted', {
        object: 'backup-identity',
        hint: 'Set the secret BACKUP_IDENTITY (the age secret key that belongs to BACKUP_RECIPIENT).',
      }),
    ]);
  }
  const store = await cx.store();
  const directory = await mkdtemp(join(cx.scratch, 'fetched-'));
  try {
    if (!(await store.list(manifest.dump.name)).some((f) => f.name === manifest.dump.name)) {
      throw new Refusal([
        block('backup-missing', `the store has the manifest of backup ${manifest.backupId}, but not its dump ${manifest.dump.name}`, {
          object: manifest.dump.name,
          hint: 'It has expired or was deleted: run the phase backup again.',
        }),
      ]);
    }
    return await work({ path: await store.get(manifest.dump.name, directory), key });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function manifestOf(cx: PhaseContext, database: RealDatabase): Promise<Manifest> {
  const found = await findEvidence(cx, requirePlan(cx), database, 'manifest.json', manifestShape, 'backup');
  return found.body;
}

/** DECISIONS 22. Without production's URL nothing can be proved, so staging is then refused too. */
async function refuseRealDatabases(cx: PhaseContext, staging: Target): Promise<void> {
  const { production, development } = cx.targets;
  if (production === null) {
    throw new Refusal([
      block('input-missing', 'production-url is empty, so it cannot be shown that staging is another database', {
        object: 'production-url',
        hint: 'Give a read-only URL of production (PROD_READ_DATABASE_URL); only an advisory lock is taken through it.',
      }),
    ]);
  }
  for (const real of [production, ...(development === null ? [] : [development])]) {
    if (await isSameDatabase(cx, real, staging)) {
      throw new Refusal([
        block('staging-is-production', `staging-url leads to the ${real.role} database itself`, {
          object: 'staging-url',
          hint: 'Give the URL of a database of its own: a clone replaces everything in it.',
        }),
      ]);
    }
  }
}
