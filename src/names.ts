/** Names of everything we create in a user's database: one function each, so that a leftover can be recognised and no name is longer than 63 bytes. */
import { createHash } from 'node:crypto';

/** A relation by its two literal names. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
}

export const CONTROL_SCHEMA = 'lossless';
/** A run's id in the journal: `r` and 8 hex digits, the same in every database the run touches. */
export type RunId = string;

/** @param i index of the source schema when a group spans several (0 is left out) */
export const newSchema = (run: RunId, i = 0): string => `lossless_new_${run}${i === 0 ? '' : `_${String(i)}`}`;
export const oldSchema = (run: RunId, i = 0): string => `lossless_old_${run}${i === 0 ? '' : `_${String(i)}`}`;

/** A whole schema that a run retired: at most 63 bytes; a name too long is cut and gets a hash. */
export function oldSchemaOf(run: RunId, schema: string): string {
  const prefix = `lossless_old_${run}_s_`;
  if (Buffer.byteLength(prefix + schema) <= 63) return prefix + schema;
  const hash = createHash('sha256').update(schema).digest('hex').slice(0, 8);
  let kept = '';
  for (const char of schema) {
    if (Buffer.byteLength(prefix + kept + char) > 63 - 9) break;
    kept += char;
  }
  return `${prefix}${kept}_${hash}`;
}

/** Tables and functions in the control schema that belong to one table (by its oid before the run) of one run. */
export const inControl = (
  kind:
    'log' | 'cap' | 'drain' | 'quarantine' | 'rlog' | 'rcap' | 'rdrain' | 'conflict' | 'guard' | 'fence' | 'fits' | 'keyfits' | 'merged' | 'stage' | 'leave',
  run: RunId,
  oid: number,
): Relation => ({
  schema: CONTROL_SCHEMA,
  name: `${kind}_${run}_${String(oid)}`,
});

/** Triggers: user triggers fire in name order, so capture is last and guard and fence are first. */
export const trigger = (kind: 'capture' | 'capture_t' | 'guard' | 'fence_s' | 'fence_r', run: RunId): string =>
  `${kind.startsWith('capture') ? 'zzz' : 'aaa'}_lossless_${kind}_${run}`;

/** POSIX pattern of every trigger, index and constraint name that a run of ours may leave on a user's table: catalog queries leave those out. */
export const oursPattern = '(^|_)lossless_.*_r[0-9a-f]{8}$';

/** `schema.name`, for people; never for SQL. */
export const display = (r: Relation): string => `${r.schema}.${r.name}`;

export const isOurs = (schema: string): boolean => schema === CONTROL_SCHEMA || /^lossless_(new|old)_/.test(schema);
