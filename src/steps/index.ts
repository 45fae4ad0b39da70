import type { KindReading } from '../plan/plan.js';
import type { Kinds } from '../plan/read.js';
import { command, commandReading } from './command.js';
import { drizzle, drizzleReading } from './drizzle.js';
import { inspectTables } from './inspect-tables.js';
import { rebuildTables } from './rebuild-tables/step.js';
import { mergeTable } from './merge-table/step.js';
import { retireSchemas } from './retire-schemas.js';
import { retireTables } from './retire-tables.js';
import { sql, sqlReading } from './sql.js';
import type { AnyStep } from './step.js';

/** The registry: the one place to add a kind of step. The key is the plan's key, the file's name and the folder of its SQL. */
export const steps = {
  'rebuild-tables': rebuildTables,
  'merge-table': mergeTable,
  'retire-tables': retireTables,
  'retire-schemas': retireSchemas,
  'inspect-tables': inspectTables,
  sql,
  command,
  drizzle,
} as const satisfies Record<string, AnyStep>;

export type StepKind = keyof typeof steps;

/** A kind whose spec names neither files nor commands and has nothing to check without a database. */
const plain: KindReading = { files: () => [], commands: () => [], check: () => Promise.resolve([]) };

const readings: Readonly<Partial<Record<StepKind, KindReading>>> = { sql: sqlReading, command: commandReading, drizzle: drizzleReading };

/** The registry as the plan reader takes it. */
export const kinds: Kinds = Object.fromEntries(
  Object.entries<AnyStep>(steps).map(([kind, step]) => [kind, { step, reading: readings[kind as StepKind] ?? plain }]),
);

/** A kind by the name that a plan or a journal has for it; undefined when this version knows none. */
export const kindNamed = (kind: string): AnyStep | undefined => (steps as Readonly<Record<string, AnyStep>>)[kind];
