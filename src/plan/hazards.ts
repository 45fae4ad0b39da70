import { block, warn, type Finding, type Where } from '../finding.js';
import type { FindingCode } from '../finding-codes.js';
import { inside, isNode, nodes, parseSql, text, walk, type Node, type ParsedStatement } from './sql-text.js';

/** Faults that no `allow` can accept: the statement would fail, or take away what makes a failure harmless. */
const never: ReadonlySet<FindingCode> = new Set<FindingCode>([
  'sql-syntax',
  'transaction-control',
  'concurrently',
  'outside-transaction',
  'vacuum-full',
  'enum-value-used-at-once',
]);

/** Findings whose code `allow` names become warnings that say so. */
export const accept = (findings: readonly Finding[], allow: ReadonlySet<string>): readonly Finding[] =>
  findings.map((f) =>
    f.severity === 'block' && allow.has(f.code) && !never.has(f.code) ? { ...f, severity: 'warn', message: `${f.message} (accepted by allow: ${f.code})` } : f,
  );

/** A relation as the author wrote it; schema null when the search path decides. */
export interface Written {
  readonly schema: string | null;
  readonly name: string;
}
const key = (w: Written): string => JSON.stringify([w.schema, w.name]);
export const shown = (w: Written): string => (w.schema === null ? w.name : `${w.schema}.${w.name}`);

const rangeVar = (value: unknown): Written | null => {
  const node = inside(value, 'RangeVar') ?? (isNode(value) ? value : null);
  return node === null || text(node['relname']) === '' ? null : { schema: text(node['schemaname']) || null, name: text(node['relname']) };
};
const listed = (value: unknown): Written | null => {
  const list = inside(value, 'List');
  const words = nodes(list === null ? value : list['items']).map((item) => text(inside(item, 'String')?.['sval']));
  const name = words.at(-1);
  return name === undefined || name === '' ? null : { schema: words.at(-2) ?? null, name };
};

const stringConstants = (node: unknown): readonly string[] => {
  const found: string[] = [];
  walk(node, (kind, inner) => {
    if (kind === 'A_Const') found.push(text(inside(inner, 'sval')?.['sval']));
  });
  return found;
};

const cascade = (node: Node): string => (node['behavior'] === 'DROP_CASCADE' ? ' with CASCADE' : '');
const option = (options: unknown, name: string): boolean => nodes(options).some((o) => inside(o, 'DefElem')?.['defname'] === name);

/** What the file has created itself so far, and what it has taken from a table: later statements are judged by it. */
interface Seen {
  readonly tables: Map<string, Written>;
  readonly types: Set<string>;
  readonly dropped: { readonly table: string; readonly column: string; readonly at: Where }[];
  readonly added: { readonly table: string; readonly column: string }[];
  readonly enumValues: string[];
}

/** What the SQL of one file would destroy, block or break; see hazardsOfAll. */
export const hazards = (source: string, file: string): Promise<readonly Finding[]> => hazardsOfAll([{ source, file }]);

/**
 * What the SQL of files that run in one transaction, in this order, would destroy, block or break, each with its line and column.
 * Severity: block for what destroys data or cannot work in one transaction, warn for locks and what cannot be judged. A table that the
 * same texts created is nobody's yet: only what can fail is said about it.
 */
export async function hazardsOfAll(sources: readonly { readonly source: string; readonly file: string }[]): Promise<readonly Finding[]> {
  const seen: Seen = { tables: new Map(), types: new Set(), dropped: [], added: [], enumValues: [] };
  const findings: Finding[] = [];
  for (const { source, file } of sources) {
    const { fault, statements } = await parseSql(source, file);
    if (fault !== null)
      findings.push(
        block('sql-syntax', `PostgreSQL's grammar refuses this: ${fault.message}`, {
          at: fault.at,
          hint: 'Correct the statement. psql commands (\\i, \\c …) and templates are not SQL.',
        }),
      );
    findings.push(...statements.flatMap((statement) => hazardsOf(statement, seen)));
  }
  for (const { table, column, at } of seen.dropped) {
    const other = seen.added.find((a) => a.table === table && a.column !== column);
    if (other === undefined) continue;
    findings.push(
      block('suspected-rename', `drops column ${column} and adds column ${other.column} of the same table: as a rename, this loses every value`, {
        at,
        object: column,
        hint: `If it is a rename, write ALTER TABLE … RENAME COLUMN "${column}" TO "${other.column}"; if not, allow: suspected-rename, drop-column.`,
      }),
    );
  }
  return findings;
}

function hazardsOf(statement: ParsedStatement, seen: Seen): Finding[] {
  const { kind, node, at } = statement;
  const findings: Finding[] = [];
  const own = (w: Written | null): boolean => w !== null && seen.tables.has(key(w));
  const used = stringConstants(node).find((value) => seen.enumValues.includes(value));
  if (used !== undefined && kind !== 'AlterEnumStmt') {
    findings.push(
      block('enum-value-used-at-once', `uses the enum value '${used}' in the transaction that adds it`, {
        at,
        object: used,
        hint: 'Add the value in one migration and use it in the next release: PostgreSQL refuses it within one transaction.',
      }),
    );
  }
  switch (kind) {
    case 'CreateStmt': {
      const table = rangeVar(node['relation']);
      if (table !== null && node['if_not_exists'] !== true) seen.tables.set(key(table), table);
      break;
    }
    case 'CreateTableAsStmt': {
      const table = rangeVar(inside(node, 'into')?.['rel']);
      if (table !== null && node['if_not_exists'] !== true) seen.tables.set(key(table), table);
      break;
    }
    case 'CreateEnumStmt':
      seen.types.add(key(listed(node['typeName']) ?? { schema: null, name: '' }));
      break;
    case 'AlterEnumStmt': {
      const type = listed(node['typeName']);
      if (text(node['newVal']) !== '' && text(node['oldVal']) === '' && (type === null || !seen.types.has(key(type))))
        seen.enumValues.push(text(node['newVal']));
      break;
    }
    case 'DropStmt':
      findings.push(...drops(statement, seen));
      break;
    case 'DropOwnedStmt':
      findings.push(
        block('drop-schema', 'DROP OWNED removes everything a role owns', {
          at,
          hint: 'Name the objects; retire tables with retire-tables, schemas with retire-schemas.',
        }),
      );
      break;
    case 'AlterTableStmt':
      findings.push(...alters(statement, seen));
      break;
    case 'TruncateStmt': {
      const tables = nodes(node['relations'])
        .map(rangeVar)
        .filter((w) => w !== null);
      const foreign = tables.filter((w) => !own(w));
      for (const w of foreign)
        findings.push(
          block('truncate', `TRUNCATE empties ${shown(w)}${cascade(node)}`, {
            at,
            object: shown(w),
            hint: 'Retire the table with retire-tables, which keeps the rows; if the loss is meant, allow: truncate and say so in `rows:`.',
          }),
        );
      break;
    }
    case 'IndexStmt': {
      const table = rangeVar(node['relation']);
      if (node['concurrent'] === true) findings.push(concurrently(at, 'CREATE INDEX CONCURRENTLY'));
      else if (!own(table))
        findings.push(
          warn('index-not-concurrent', `CREATE INDEX blocks writes of ${table === null ? 'the table' : shown(table)} while it builds`, {
            at,
            ...(table === null ? {} : { object: shown(table) }),
            hint: 'Small tables are built in milliseconds; for a large one use rebuild-tables, which builds indexes on its copy.',
          }),
        );
      break;
    }
    case 'ReindexStmt':
      if (option(node['params'], 'concurrently')) findings.push(concurrently(at, 'REINDEX CONCURRENTLY'));
      break;
    case 'RenameStmt':
      findings.push(...renames(statement, seen));
      break;
    case 'TransactionStmt': {
      const verb = text(node['kind']).replace('TRANS_STMT_', '');
      if (!['SAVEPOINT', 'RELEASE', 'ROLLBACK_TO'].includes(verb)) {
        findings.push(
          block('transaction-control', `${verb.replace('_', ' ')} inside: a failure after it could not be rolled back`, {
            at,
            hint: 'Remove it: the whole text runs in one transaction.',
          }),
        );
      }
      break;
    }
    case 'VacuumStmt':
      if (node['is_vacuumcmd'] === true) {
        findings.push(
          option(node['options'], 'full')
            ? block('vacuum-full', 'VACUUM FULL locks the table against everybody while it rewrites it, and cannot run in a transaction', {
                at,
                hint: 'Remove it; rebuild-tables leaves a compact table.',
              })
            : outside(at, 'VACUUM'),
        );
      }
      break;
    case 'CreatedbStmt':
    case 'DropdbStmt':
    case 'AlterSystemStmt':
    case 'CreateTableSpaceStmt':
    case 'DropTableSpaceStmt':
    case 'CreateSubscriptionStmt':
    case 'DropSubscriptionStmt':
      findings.push(outside(at, kind.replace(/Stmt$/, '')));
      break;
    case 'DoStmt':
      findings.push(
        warn('do-body-opaque', 'the body of DO cannot be judged beforehand', {
          at,
          hint: 'Write plain statements where possible; the row guard judges the effect all the same.',
        }),
      );
      break;
    default:
      break;
  }
  findings.push(...insideData(statement, own));
  return findings;
}

const concurrently = (at: Where, what: string): Finding =>
  block('concurrently', `${what} cannot run in a transaction, so it cannot be undone with it`, {
    at,
    hint: 'Leave CONCURRENTLY out (the lock is refused when it does not come at once), or build the index with rebuild-tables.',
  });
const outside = (at: Where, what: string): Finding =>
  block('outside-transaction', `${what} cannot run in a transaction`, { at, hint: 'Run it by hand, apart from the plan.' });

function drops({ node, at }: ParsedStatement, seen: Seen): Finding[] {
  const findings: Finding[] = [];
  if (node['concurrent'] === true) findings.push(concurrently(at, 'DROP INDEX CONCURRENTLY'));
  const type = text(node['removeType']).replace('OBJECT_', '');
  const names = nodes(node['objects']).map(
    (object) => listed(object) ?? listed(inside(object, 'TypeName')?.['names']) ?? { schema: null, name: text(inside(object, 'String')?.['sval']) },
  );
  for (const name of names) {
    const object = shown(name);
    if (type === 'TABLE') {
      if (seen.tables.delete(key(name))) continue;
      findings.push(
        block('drop-table', `drops table ${object} and its rows${cascade(node)}`, {
          at,
          object,
          hint: 'Use retire-tables: it keeps and archives the rows. If the loss is meant, allow: drop-table and say so in `rows:`.',
        }),
      );
    } else if (type === 'SCHEMA') {
      findings.push(
        block('drop-schema', `drops schema ${object}${cascade(node)}`, { at, object, hint: 'Use retire-schemas: it keeps everything until the cleanup.' }),
      );
    } else if (node['behavior'] === 'DROP_CASCADE') {
      const holdsColumns = ['TYPE', 'DOMAIN', 'EXTENSION'].includes(type);
      const message = `DROP ${type} ${object} with CASCADE ${holdsColumns ? 'drops the columns that use it' : 'drops whatever depends on it'}`;
      const rest = { at, object, hint: 'Drop what depends on it by name, or leave CASCADE out: PostgreSQL then lists it.' };
      findings.push(holdsColumns ? block('drop-cascade', message, rest) : warn('drop-cascade', message, rest));
    }
  }
  return findings;
}

function alters(statement: ParsedStatement, seen: Seen): Finding[] {
  const { node, at } = statement;
  const findings: Finding[] = [];
  const table = rangeVar(node['relation']) ?? { schema: null, name: '' };
  const fresh = seen.tables.has(key(table));
  const object = shown(table);
  for (const command of nodes(node['cmds'])
    .map((c) => inside(c, 'AlterTableCmd'))
    .filter((c) => c !== null)) {
    const column = text(command['name']);
    const constraint = inside(command['def'], 'Constraint');
    const definition = inside(command['def'], 'ColumnDef');
    switch (command['subtype']) {
      case 'AT_DropColumn':
        if (fresh) break;
        seen.dropped.push({ table: key(table), column, at });
        findings.push(
          block('drop-column', `drops column ${column} of ${object} and its values${cascade(command)}`, {
            at,
            object,
            hint: 'Stop using the column and leave it, or rebuild the table with rebuild-tables. If the loss is meant, allow: drop-column.',
          }),
        );
        break;
      case 'AT_AddColumn':
        seen.added.push({ table: key(table), column: text(definition?.['colname']) });
        break;
      case 'AT_AlterColumnType':
        if (!fresh)
          findings.push(
            block(
              'alter-column-type',
              `changes the type of column ${column} of ${object} in place: everybody is locked out while rows are rewritten, and old values are gone`,
              {
                at: statement.place(definition?.['location']),
                object,
                hint: 'Use rebuild-tables, which keeps the old table and can go back. If it is only wider (varchar), allow: alter-column-type.',
              },
            ),
          );
        break;
      case 'AT_SetNotNull':
        if (!fresh) findings.push(setNotNull(column, object, at));
        break;
      case 'AT_DetachPartition':
        if (inside(command['def'], 'PartitionCmd')?.['concurrent'] === true) findings.push(concurrently(at, 'DETACH PARTITION CONCURRENTLY'));
        break;
      case 'AT_AddConstraint':
        if (fresh || constraint === null) break;
        if (constraint['contype'] === 'CONSTR_FOREIGN' && constraint['skip_validation'] !== true) {
          findings.push(
            warn('foreign-key-validated-at-once', `ADD FOREIGN KEY on ${object} checks every row while writers of both tables wait, and fails on one orphan`, {
              at: statement.place(constraint['location']),
              object,
              hint: 'Add it NOT VALID and validate it in a later migration, or let rebuild-tables do both.',
            }),
          );
        }
        if (constraint['contype'] === 'CONSTR_NOTNULL')
          findings.push(setNotNull(text(nodes(constraint['keys']).map((k) => inside(k, 'String')?.['sval'])[0]), object, at));
        if (['CONSTR_UNIQUE', 'CONSTR_PRIMARY', 'CONSTR_EXCLUSION'].includes(text(constraint['contype'])) && text(constraint['indexname']) === '') {
          findings.push(
            warn('index-not-concurrent', `ADD ${text(constraint['contype']).replace('CONSTR_', '')} builds an index while ${object} is locked`, {
              at: statement.place(constraint['location']),
              object,
              hint: 'Small tables are built in milliseconds; for a large one use rebuild-tables.',
            }),
          );
        }
        break;
      default:
        break;
    }
  }
  return findings;
}

const setNotNull = (column: string, object: string, at: Where): Finding =>
  warn('set-not-null', `SET NOT NULL on column ${column} of ${object} reads the whole table under a lock that blocks everybody, and fails on one NULL`, {
    at,
    object,
    hint: 'Fill the column first; the rehearsal shows whether a NULL is left and how long the lock lasts.',
  });

function renames({ node, at }: ParsedStatement, seen: Seen): Finding[] {
  const table = rangeVar(node['relation']);
  const from = text(node['subname']);
  const to = text(node['newname']);
  if (table === null) return [];
  if (node['renameType'] === 'OBJECT_COLUMN') {
    if (seen.tables.has(key(table))) return [];
    return [
      warn('rename-column', `renames column ${from} of ${shown(table)} to ${to}: statements of the running application that use it fail at once`, {
        at,
        object: shown(table),
        hint: 'Deploy with the application in maintenance, or add the new column beside the old one.',
      }),
    ];
  }
  if (node['renameType'] !== 'OBJECT_TABLE') return [];
  const renamed = { schema: table.schema, name: to };
  const fresh = seen.tables.delete(key(table));
  seen.tables.delete(key(renamed));
  if (fresh) {
    seen.tables.set(key(renamed), renamed);
    return [];
  }
  return [
    warn('rename-table', `renames table ${shown(table)} to ${to}: the running application no longer finds it, and the row guard counts it as lost`, {
      at,
      object: shown(table),
      hint: 'If it is meant, say `rows: { <old name>: any }`.',
    }),
  ];
}

/** DELETE and UPDATE of everything, and NOT IN over a subquery, wherever they stand: in a CTE, in a rule, in a view. */
function insideData(statement: ParsedStatement, own: (w: Written | null) => boolean): Finding[] {
  const { kind, node, at } = statement;
  const findings: Finding[] = [];
  let writes = false;
  const look = (inner: string, value: Node): void => {
    const table = rangeVar(value['relation']);
    const object = table === null ? '' : shown(table);
    if (['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'].includes(inner)) writes = true;
    const where = { at: inner === kind ? at : statement.place(inside(value, 'relation')?.['location']), object };
    if (inner === 'DeleteStmt' && value['whereClause'] === undefined && !own(table)) {
      findings.push(
        block('delete-without-where', `DELETE without WHERE empties ${object}`, {
          ...where,
          hint: 'Add WHERE; if the loss is meant, allow: delete-without-where and say so in `rows:`.',
        }),
      );
    }
    if (inner === 'UpdateStmt' && value['whereClause'] === undefined && !own(table)) {
      findings.push(
        block('update-without-where', `UPDATE without WHERE overwrites every row of ${object}`, {
          ...where,
          hint: 'Add WHERE (at least the rows that still need it); if all are meant, allow: update-without-where.',
        }),
      );
    }
    if (inner === 'MergeStmt' && !own(table)) {
      const clauses = nodes(value['mergeWhenClauses']).map((c) => inside(c, 'MergeWhenClause'));
      if (clauses.some((c) => c?.['commandType'] === 'CMD_DELETE' && c['matchKind'] === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE' && c['condition'] === undefined)) {
        findings.push(
          block('delete-without-where', `MERGE deletes every row of ${object} that the source lacks`, {
            ...where,
            hint: 'Add a condition to WHEN NOT MATCHED BY SOURCE.',
          }),
        );
      }
    }
    if (inner === 'BoolExpr' && value['boolop'] === 'NOT_EXPR') {
      const link = inside(nodes(value['args'])[0], 'SubLink');
      if (link?.['subLinkType'] === 'ANY_SUBLINK') notIn(value);
    }
    if (inner === 'SubLink' && value['subLinkType'] === 'ALL_SUBLINK' && nodes(value['operName']).some((o) => inside(o, 'String')?.['sval'] === '<>'))
      notIn(value);
  };
  const notIn = (value: Node): void => {
    const message = 'NOT IN (SELECT …) is never true when the subquery yields one NULL: rows are left out silently';
    const rest = { at: statement.place(value['location']), hint: 'Use NOT EXISTS.' };
    findings.push(writes ? block('not-in-subquery', message, rest) : warn('not-in-subquery', message, rest));
  };
  look(kind, node);
  walk(node, look);
  return findings;
}

/** A statement by what it creates or changes: decides whether an undo can be exact (DECISIONS 13). */
export interface Statement {
  readonly does: 'creates-table' | 'creates-type' | 'creates-sequence' | 'creates-view' | 'creates-function' | 'adds-index' | 'adds-key' | 'other';
  /** the object created, the index or key added; null when it has no written name or is none of these */
  readonly name: Written | null;
  /** the one relation that it changes, null when there is none or more than one */
  readonly on: Written | null;
  /** for people, e.g. `ALTER TABLE a: DropColumn` */
  readonly what: string;
  readonly at: Where;
  readonly text: string;
}

/** Errors: none; text that does not parse is one `other` statement (hazards() names the fault). */
export async function statementsOf(source: string, file: string): Promise<readonly Statement[]> {
  const parsed = await parseSql(source, file);
  if (parsed.fault !== null) return [{ does: 'other', name: null, on: null, what: 'a text that does not parse', at: parsed.fault.at, text: source }];
  return parsed.statements.flatMap(classify);
}

function classify({ kind, node, at, text: source }: ParsedStatement): readonly Statement[] {
  const say = (does: Statement['does'], name: Written | null, on: Written | null, what: string): Statement => ({ does, name, on, what, at, text: source });
  const other = (what: string, on: Written | null = null): readonly Statement[] => [say('other', null, on, what)];
  const relation = rangeVar(node['relation']);
  switch (kind) {
    case 'CreateStmt':
      return text(inside(node, 'relation')?.['relpersistence']) === 't' || node['inhRelations'] !== undefined
        ? other('CREATE TABLE (temporary, or part of another)')
        : [say('creates-table', relation, relation, 'CREATE TABLE')];
    case 'CreateEnumStmt':
      return [say('creates-type', listed(node['typeName']), null, 'CREATE TYPE')];
    case 'CreateDomainStmt':
      return [say('creates-type', listed(node['domainname']), null, 'CREATE DOMAIN')];
    case 'CompositeTypeStmt':
      return [say('creates-type', rangeVar(node['typevar']), null, 'CREATE TYPE')];
    case 'CreateSeqStmt':
      return [say('creates-sequence', rangeVar(node['sequence']), null, 'CREATE SEQUENCE')];
    case 'ViewStmt':
      return node['replace'] === true ? other('CREATE OR REPLACE VIEW') : [say('creates-view', rangeVar(node['view']), null, 'CREATE VIEW')];
    case 'CreateFunctionStmt':
      return node['replace'] === true || node['is_procedure'] === true
        ? other('CREATE OR REPLACE FUNCTION')
        : [say('creates-function', listed(node['funcname']), null, 'CREATE FUNCTION')];
    case 'IndexStmt': {
      const name = text(node['idxname']);
      return [say('adds-index', name === '' ? null : { schema: relation?.schema ?? null, name }, relation, 'CREATE INDEX')];
    }
    case 'AlterTableStmt':
      return nodes(node['cmds']).flatMap((c): readonly Statement[] => {
        const command = inside(c, 'AlterTableCmd');
        const constraint = inside(command?.['def'], 'Constraint');
        const what = `ALTER TABLE ${relation === null ? '' : shown(relation)}: ${text(command?.['subtype']).replace('AT_', '')}`;
        const addsKey =
          command?.['subtype'] === 'AT_AddConstraint' && ['CONSTR_FOREIGN', 'CONSTR_UNIQUE', 'CONSTR_CHECK'].includes(text(constraint?.['contype']));
        const name = text(constraint?.['conname']);
        return addsKey ? [say('adds-key', name === '' ? null : { schema: relation?.schema ?? null, name }, relation, what)] : other(what, relation);
      });
    case 'CommentStmt': {
      const words = listed(node['object']);
      const parts = nodes(inside(node['object'], 'List')?.['items']).map((item) => text(inside(item, 'String')?.['sval']));
      const table =
        node['objtype'] === 'OBJECT_COLUMN' ? { schema: parts.at(-3) ?? null, name: parts.at(-2) ?? '' } : node['objtype'] === 'OBJECT_TABLE' ? words : null;
      return other('COMMENT', table);
    }
    case 'InsertStmt':
      return other('INSERT', relation);
    case 'CreatePolicyStmt':
      return other('CREATE POLICY', rangeVar(node['table']));
    default:
      return other(kind.replace(/Stmt$/, ''));
  }
}
