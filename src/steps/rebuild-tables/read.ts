import { block, type Finding } from '../../finding.js';
import { display, type RunId } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { relation, type PlanFrame } from '../../plan/plan.js';
import { design, type Group, type Source } from './design.js';
import { canonicalType, readShape } from './shape.js';
import type { RebuildSpec } from './spec.js';

export interface Reading {
  readonly sources: readonly Source[];
  readonly group: Group;
  /** tables, columns and types that the plan names and the database does not have */
  readonly findings: readonly Finding[];
}

/** The tables of the plan as the catalog has them, and the design that follows. Locks nothing. */
export async function readGroup(db: ReadDb, run: RunId, plan: PlanFrame, spec: RebuildSpec): Promise<Reading> {
  const findings: Finding[] = [];
  const sources: Source[] = [];
  for (const [written, tableSpec] of Object.entries(spec)) {
    const table = relation(written, plan);
    const shape = await readShape(db, table);
    if (shape === null) {
      findings.push(
        block('table-not-found', `table ${display(table)} does not exist`, {
          object: display(table),
          hint: 'Correct the name in the plan (names are literal: upper and lower case differ), or take the table out of it.',
        }),
      );
      continue;
    }
    const types: Record<string, string> = {};
    const has = (column: string): boolean => shape.columns.some((c) => c.name === column);
    const missing = (column: string, where: string): void => {
      if (has(column)) return;
      findings.push(
        block('column-not-found', `table ${display(table)} has no column ${column} (${where})`, {
          object: display(table),
          hint: `Its columns are ${shape.columns.map((c) => c.name).join(', ')}.`,
        }),
      );
    };
    for (const [name, column] of Object.entries(tableSpec.columns)) {
      missing(name, 'columns');
      if (column.type === undefined) continue;
      const type = await canonicalType(db, column.type);
      if (type === null) {
        findings.push(
          block('type-not-found', `the server does not know the type ${column.type} (column ${name} of ${display(table)})`, {
            object: display(table),
            hint: 'Write the type as CREATE TABLE takes it; types outside pg_catalog need their schema.',
          }),
        );
      } else types[name] = type;
    }
    for (const [name, index] of Object.entries(tableSpec.indexes)) for (const c of index.columns ?? []) missing(c, `index ${name}`);
    for (const [name, unique] of Object.entries(tableSpec.unique)) for (const c of unique.columns) missing(c, `unique ${name}`);
    for (const [name, key] of Object.entries(tableSpec['foreign-keys'])) for (const c of key.columns) missing(c, `foreign key ${name}`);
    sources.push({ table, written, spec: tableSpec, shape, types });
  }
  return { sources, group: design(run, plan, sources), findings };
}
