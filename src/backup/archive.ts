import { display, type Relation } from '../names.js';
import type { Target } from '../pg/connect.js';
import type { BackupContext } from './context.js';
import { takeBackup } from './dump.js';
import { onPrivateServer } from './prove.js';

export interface Archive {
  readonly name: string;
  /** lower-case sha256 hex of the stored bytes */
  readonly digest: string;
  readonly bytes: number;
  readonly rows: number;
  /** null: the store keeps it */
  readonly expires: Date | null;
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
}

/**
 * Stores an encrypted dump with the rows of these tables and the definitions of the whole database, so that types and functions they need are
 * there, and so are those of retired `schemas` that hold no rows. It has been restored on a private server and compared with counts and
 * checksums of its own snapshot. Needs no secret identity: the file is proved with the key it was just written with. Files:
 * `<name>.dump.age` and `<name>.archive.json`.
 */
export async function archiveTables(
  cx: BackupContext,
  target: Target,
  relations: readonly Relation[],
  name: string,
  schemas: readonly string[] = [],
): Promise<Archive> {
  const named = [...new Set([...relations.map((r) => r.schema), ...schemas])];
  const backup = await takeBackup(
    cx,
    {
      database: target.role === 'development' ? 'development' : 'production',
      target,
      plan: { id: '', digest: '', schemas: named },
      touches: named,
      allow: [],
      maxLockMs: 0,
      name,
      rowsOf: relations,
    },
    (local) => onPrivateServer(cx, local, () => Promise.resolve()),
  );
  const tables = backup.manifest.tables.map((t) => ({ table: display(t), rows: t.rows }));
  return {
    name: backup.dump.name,
    digest: backup.dump.digest,
    bytes: backup.dump.bytes,
    rows: tables.reduce((sum, t) => sum + t.rows, 0),
    expires: backup.dump.expires,
    tables,
  };
}
