import type { Relation } from '../names.js';
import type { PlanFrame } from './plan.js';
import { inside, isNode, nodes, parseSql, text, walk, type Node } from './sql-text.js';

/** Statements that change the one relation they name; what they only read or refer to is elsewhere in their tree. */
const changing = new Set([
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
  'CreateStmt',
  'AlterTableStmt',
  'IndexStmt',
  'RenameStmt',
  'AlterObjectSchemaStmt',
  'CreateTrigStmt',
  'CreatePolicyStmt',
  'RuleStmt',
]);

/**
 * Relations that a SQL text changes by name, CTEs included; a bare name is taken for one of the plan's first schema. What DO bodies and
 * functions change cannot be known. Text that does not parse changes nothing (its fault is a finding of `hazards`).
 */
export async function changedRelations(source: string, file: string, plan: PlanFrame): Promise<readonly Relation[]> {
  const found = new Map<string, Relation>();
  const add = (schema: string, name: string): void => {
    if (name === '') return;
    const relation = { schema: schema === '' ? (plan.schemas[0] ?? 'public') : schema, name };
    found.set(JSON.stringify(relation), relation);
  };
  const addVar = (value: unknown): void => {
    const node = inside(value, 'RangeVar') ?? (isNode(value) ? value : null);
    if (node !== null && text(node['relpersistence']) !== 't') add(text(node['schemaname']), text(node['relname']));
  };
  const look = (kind: string, node: Node): void => {
    if (changing.has(kind) && !(kind === 'CopyStmt' && node['is_from'] !== true)) addVar(node['relation'] ?? node['table']);
    if (kind === 'TruncateStmt') nodes(node['relations']).forEach(addVar);
    if (kind === 'DropStmt' && ['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW'].includes(text(node['removeType']))) {
      for (const object of nodes(node['objects'])) {
        const words = nodes(inside(object, 'List')?.['items']).map((word) => text(inside(word, 'String')?.['sval']));
        add(words.at(-2) ?? '', words.at(-1) ?? '');
      }
    }
  };
  const { statements } = await parseSql(source, file);
  for (const { kind, node } of statements) {
    look(kind, node);
    walk(node, look);
  }
  return [...found.values()];
}
