import type { Target } from '../pg/connect.js';
import { fingerprint, schemaOf } from '../proof/fingerprint.js';
import type { PhaseContext } from './phase.js';

/** The schema fingerprint of a database now: 64 hex, of one snapshot, over the plan's schemas minus our objects. */
export async function schemaFingerprint(cx: PhaseContext, target: Target, schemas: readonly string[]): Promise<string> {
  const reader = await cx.open(target, 'reader', 'lossless fingerprint');
  return reader.transaction(async (tx) => fingerprint(await schemaOf(tx, schemas)), { isolation: 'repeatable read', readOnly: true });
}
