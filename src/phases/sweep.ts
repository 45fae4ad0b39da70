import { QueryFailed } from '../errors.js';
import { warn, type Finding } from '../finding.js';
import { journalTables } from '../journal/journal.js';
import { CONTROL_SCHEMA, display } from '../names.js';
import { fromCatalog } from '../pg/render.js';
import type { Locked } from './arenas.js';

interface Leftover {
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  readonly arguments: string;
}

/**
 * After a cleanup, when no run is open any more: nothing of ours stays but the journal. Only what is empty and unused goes, without
 * CASCADE; what does not go is named. Locks only our own objects.
 */
export async function sweep(l: Locked): Promise<readonly Finding[]> {
  if ((await l.journal.runs()).some((r) => r.state !== 'cleaned')) return [];
  const look = (): Promise<readonly Leftover[]> => l.journalDb.rows<Leftover>('journal/leftovers', { values: [[...journalTables]] });
  for (const left of await look()) {
    try {
      if (left.kind === 'r') await l.journalDb.change('journal/drop-empty-table', { names: { table: { schema: left.schema, name: left.name } } });
      if (left.kind === 'function')
        await l.journalDb.change('journal/drop-function', {
          names: { function: { schema: CONTROL_SCHEMA, name: left.name } },
          parts: { arguments: fromCatalog(left.arguments) },
        });
      if (left.kind === 'schema') await l.journalDb.change('journal/drop-schema', { names: { schema: left.schema } });
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
    }
  }
  return (await look()).map((left) =>
    warn('left-behind', `${left.kind === 'schema' ? left.schema : display(left)} is still there`, {
      object: display(left),
      hint: 'Look at it; nothing of ours needs it any more.',
    }),
  );
}
