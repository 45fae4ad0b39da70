import { z } from 'zod';
import { UserError } from '../errors.js';
import { block } from '../finding.js';
import type { Target } from '../pg/connect.js';
import type { BackupContext } from './context.js';
import { BackupRefused } from './refused.js';

/**
 * A staging database that is ours to replace carries our marker: the database's comment, which no dump and no restore touches and
 * only its owner can write. `restoring` and `in-use`: not a clone to rely on; `verified`: restored, compared and untouched since.
 */
export interface Marker {
  readonly state: 'restoring' | 'verified' | 'in-use' | 'emptied';
  readonly backupId: string;
}

const words = 'Lossless clone: replaced whole by the next clone phase. To keep this database, remove this comment. ';
const shape = z.object({ state: z.enum(['restoring', 'verified', 'in-use', 'emptied']), backupId: z.string() });

type Opening = Pick<BackupContext, 'open'>;

/** null: no marker of ours. Locks nothing. Errors: UserError when the role does not own the database. */
export async function readMarker(cx: Opening, staging: Target): Promise<Marker | null> {
  const db = await cx.open(staging, 'reader', 'lossless staging');
  const { comment, owner } = await db.one<{ comment: string; owner: boolean }>('backup/marker');
  if (!owner) {
    throw new UserError(`the role ${staging.user} does not own the staging database ${staging.database}`, {
      hint: `ALTER DATABASE "${staging.database}" OWNER TO "${staging.user}": a clone replaces everything in it and marks it.`,
    });
  }
  if (!comment.startsWith(words)) return null;
  try {
    return shape.parse(JSON.parse(comment.slice(words.length)));
  } catch {
    return null;
  }
}

export async function writeMarker(cx: Opening, staging: Target, marker: Marker): Promise<void> {
  const db = await cx.open(staging, 'worker', 'lossless staging');
  await db.change('backup/mark', { names: { database: staging.database }, literals: { marker: words + JSON.stringify(marker) } });
}

/** Refuses (`staging-not-ours`) a database that is neither empty nor marked as a clone of ours. */
export async function requireReplaceable(cx: Opening, staging: Target): Promise<void> {
  if ((await readMarker(cx, staging)) !== null) return;
  const found = await contained(cx, staging);
  if (found.length === 0) return;
  throw new BackupRefused([
    block(
      'staging-not-ours',
      `the staging database ${staging.database} is not empty and carries no marker of ours: ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' …' : ''}`,
      {
        object: staging.database,
        hint: 'Give the URL of an empty database. What is in this one was not made by a clone phase, so it is not ours to drop.',
      },
    ),
  ]);
}

/**
 * Drops everything of the user's in a clone, one schema per transaction; the database, its extensions and the schema public stay. The caller has
 * written the marker before, so that a half-emptied clone is still known as one. Errors: UserError that names what could not be dropped.
 */
export async function emptyStaging(cx: Opening, staging: Target): Promise<void> {
  const db = await cx.open(staging, 'worker', 'lossless staging');
  for (const { schema } of await db.rows<{ schema: string }>('backup/droppable-schemas')) await db.change('backup/drop-schema', { names: { schema } });
  await db.change('backup/empty-rest');
  const left = await contained(cx, staging);
  if (left.length > 0)
    throw new UserError(`the staging database ${staging.database} could not be emptied; left: ${left.join(', ')}`, {
      hint: 'Drop these by hand as their owner, then run the phase again.',
    });
}

async function contained(cx: Opening, staging: Target): Promise<readonly string[]> {
  const db = await cx.open(staging, 'reader', 'lossless staging');
  return (await db.rows<{ what: string }>('backup/contained')).map((r) => r.what);
}
