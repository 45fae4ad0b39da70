import type { Group } from './design.js';

/**
 * What undo, watch and cleanup need. Saved before the act it describes: `capture` before anything is created, `ready`
 * before the swap message is sent; `undone` (failed tables are kept) and `aborted` (nothing is left) by the undo. Whether the swap happened says the row in lossless.swap, never the receipt alone.
 */
export type RebuildReceipt = {
  /** nothing: found done */
  readonly state:
    'nothing' | 'capture' | 'copying' | 'copied' | 'deduped' | 'indexed' | 'syncing' | 'ready' | 'swapped' | 'settled' | 'validated' | 'undone' | 'aborted';
  readonly group: Group;
  /** rows of each table when the capture began, in the order of the group */
  readonly before: readonly number[];
  /** swap fingerprints of the tables the application writes, in the order of the group */
  readonly prints: readonly string[];
  /** transactions that were open when the swap committed */
  readonly straddling: readonly string[];
  readonly swappedAt: string | null;
};
