import type { Target } from '../pg/connect.js';
import type { Finding } from '../finding.js';
import type { Key } from './cipher.js';
import { findServer } from './client.js';
import type { BackupContext } from './context.js';
import type { Manifest } from './manifest.js';
import { durable, furnish, requireSpace, withPrivateServer } from './private-server.js';
import { compareWithManifest, dropOurs, restoreBackup, type Compared } from './restore.js';
import { refuseBlocking } from './refused.js';

export interface Restorable {
  readonly manifest: Manifest;
  /** the encrypted dump */
  readonly path: string;
  readonly key: Key;
}

export interface Proved {
  /** the clone, as the role that owns the origin's tables */
  readonly target: Target;
  readonly manifest: Manifest;
  readonly compared: Compared;
  readonly findings: readonly Finding[];
}

/**
 * Restores a backup with owners and grants into a server of its own, compares it with its manifest, takes out what is ours, and hands the clone
 * to `work`; the server is stopped and removed whatever happens. Refuses: everything that restoring refuses, and `backup-differs`.
 */
export async function onPrivateServer<T>(cx: BackupContext, backup: Restorable, work: (clone: Proved) => Promise<T>): Promise<T> {
  const { manifest } = backup;
  const tools = await findServer({ exec: cx.exec, signal: cx.signal, major: manifest.server.major, postgresBin: cx.inputs['postgres-bin'] });
  await requireSpace(cx, manifest);
  return withPrivateServer(cx, tools, async (server) => {
    const database = 'clone';
    const furnished = await furnish(cx, server, manifest, database);
    const admin = server.admin(database);
    const left = await restoreBackup(cx, { ...backup, target: admin, tools, owners: true });
    const compared = await compareWithManifest(cx, manifest, admin);
    refuseBlocking(compared.findings);
    await dropOurs(cx, admin);
    await durable(cx, server);
    const target = manifest.roles.some((r) => r.name === manifest.owner) ? server.as(manifest.owner, database) : admin;
    return work({ target, manifest, compared, findings: [...tools.findings, ...furnished, ...left] });
  });
}
