import { createHash } from 'node:crypto';
import type { PlanFiles } from './plan.js';

/**
 * The identity of a plan: sha256 hex over the plan's bytes and, sorted by name, the relative path and the sha256 of the bytes of every
 * file it names (folders whole, and the repository files that the words of its commands name). One changed byte, one file more or one
 * less is another plan, which must be rehearsed and approved anew.
 *
 * Bytes are taken as they are: line ends are not normalised, because a command or `psql` would not normalise them either. A checkout
 * that turns LF into CRLF is therefore another plan; `* text=auto eol=lf` in .gitattributes keeps checkouts equal.
 */
export function planDigest(plan: Uint8Array, files: PlanFiles): string {
  const named = [...files.names].sort().map((name) => [name, sha256(files.bytes(name))]);
  return sha256(Buffer.from(JSON.stringify(['lossless plan 1', sha256(plan), named]), 'utf8'));
}

/** `plan-id`: what people compare and type. */
export const planId = (digest: string): string => digest.slice(0, 12);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
