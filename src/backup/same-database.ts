import { randomBytes } from 'node:crypto';
import type { Target } from '../pg/connect.js';
import type { BackupContext } from './context.js';

/**
 * Whether two URLs lead to one database: an advisory lock taken through the first that the second sees in its own pg_locks under its own
 * database oid. Hosts, names and even system identifiers cannot tell: aliases differ for one server, branches and snapshots share an identifier.
 */
export async function isSameDatabase(cx: Pick<BackupContext, 'open'>, a: Target, b: Target): Promise<boolean> {
  const bytes = randomBytes(8);
  const holder = await cx.open(a, 'reader', 'lossless same database');
  await holder.one('backup/try-lock', { values: [bytes.readBigInt64BE(0).toString()] });
  const seer = await cx.open(b, 'reader', 'lossless same database');
  const { same } = await seer.one<{ same: boolean }>('backup/sees-lock', { values: [bytes.readUInt32BE(0), bytes.readUInt32BE(4)] });
  await holder.one('backup/unlock', { values: [bytes.readBigInt64BE(0).toString()] });
  return same;
}
