import { block } from '../finding.js';
import { Journal, type RunRow } from '../journal/journal.js';
import type { Locked, RealDatabase } from './arenas.js';
import type { PhaseContext } from './phase.js';
import { Refusal } from './refusal.js';

export interface KnownRun {
  readonly row: RunRow;
  readonly where: RealDatabase;
}

/** Every run that the given databases know, newest first, each once. Writes nothing. */
export async function allRuns(cx: PhaseContext): Promise<readonly KnownRun[]> {
  const runs = new Map<string, KnownRun>();
  for (const name of ['production', 'development'] as const) {
    const target = cx.targets[name];
    if (target === null) continue;
    const db = await cx.open(target, 'reader', 'lossless journal reader');
    for (const row of await Journal.readRuns(db)) if (!runs.has(row.id)) runs.set(row.id, { row, where: name });
  }
  return [...runs.values()].sort((a, b) => b.row.startedAt.localeCompare(a.row.startedAt));
}

/** The run that was typed into confirm; refuses when no journal has it. With `locked`, read again under the lock. */
export async function locateRun(cx: PhaseContext, id: string, locked?: readonly Locked[]): Promise<RunRow> {
  const rows = locked === undefined ? (await allRuns(cx)).map((k) => k.row) : (await Promise.all(locked.map((l) => l.journal.runs()))).flat();
  const row = rows.find((r) => r.id === id);
  if (row !== undefined) return row;
  const open = rows.filter((r) => r.state !== 'cleaned').map((r) => `${r.id} (${r.state})`);
  throw new Refusal([
    block('run-not-found', `no run "${id}" in the journal`, {
      object: 'confirm',
      hint: open.length === 0 ? 'There is no open run.' : `Type one of the open runs: ${open.join(', ')}.`,
    }),
  ]);
}

export const databasesOfRun = (row: RunRow): readonly RealDatabase[] => (['production', 'development'] as const).filter((name) => row.databases.includes(name));
