import { block, note, warn, type Finding } from '../../finding.js';
import { display } from '../../names.js';
import { fromCatalog, glue, ident, join, type Sql } from '../../pg/render.js';
import { QueryFailed } from '../../errors.js';
import type { Preflight, ReadContext } from '../step.js';
import { columnsOf, keyColumns, type ColumnPlan, type Rebuilt } from './design.js';
import { foundDone } from './done.js';
import { anyOrphan, countOrphans, countOutsideChildren, parentsFirst } from './orphans.js';
import { readGroup, type Reading } from './read.js';
import { explained } from './shape.js';
import { writtenNames, type RebuildSpec } from './spec.js';

/** Everything that would make the rebuild fail, lose or surprise, found by reading only. */
export async function preflight(cx: ReadContext, spec: RebuildSpec): Promise<Preflight> {
  const reading = await readGroup(cx.db, cx.run, cx.plan, spec);
  if (foundDone(reading))
    return {
      findings: [note('already-done', `${writtenNames(spec).join(', ')}: everything the plan asks for is there`, { step: cx.stepId })],
      done: true,
      counts: {},
    };
  const findings: Finding[] = [...(await refusals(cx, reading))];
  const counts: Record<string, number> = {};
  if (!findings.some((f) => f.severity === 'block')) findings.push(...(await ofRows(cx, reading, counts)));
  return { findings: findings.map((f) => ({ step: cx.stepId, ...f })), done: false, counts };
}

/** What the catalogs alone can tell; asked again by apply, because time has passed since the rehearsal. */
export async function refusals(cx: ReadContext, reading: Reading): Promise<readonly Finding[]> {
  return [
    ...reading.findings,
    ...reading.sources.flatMap((_, i) => ofTable(reading, i)),
    ...ofKeys(reading),
    ...(await ofServer(cx, reading)),
    ...(await ofDefinitions(cx, reading)),
  ];
}

/** Kinds of tables and dependents that this version refuses (REBUILD 5.2, 6). */
function ofTable(reading: Reading, i: number): readonly Finding[] {
  const source = reading.sources[i];
  const t = reading.group.tables[i];
  if (source === undefined || t === undefined) return [];
  const { shape, spec, table } = source;
  const object = display(table);
  const found: Finding[] = [];
  const refuse = (code: Finding['code'], message: string, hint: string, more: Partial<Finding> = {}): void =>
    void found.push(block(code, message, { object, hint, ...more }));
  const kinds: Readonly<Record<string, string>> = {
    p: 'a partitioned table',
    v: 'a view',
    m: 'a materialized view',
    f: 'a foreign table',
    S: 'a sequence',
    c: 'a composite type',
  };
  const unsupported = 'This version cannot rebuild it; take it out of the plan.';
  if (kinds[shape.kind] !== undefined) refuse('table-kind-unsupported', `${object} is ${kinds[shape.kind] ?? ''}`, unsupported);
  if (shape.family) refuse('table-kind-unsupported', `${object} is a partition or takes part in inheritance`, unsupported);
  if (shape.typed) refuse('table-kind-unsupported', `${object} is a typed table (CREATE TABLE OF)`, unsupported);
  if (shape.persistence === 't') refuse('table-kind-unsupported', `${object} is a temporary table`, unsupported);
  if (shape.persistence === 'u') refuse('table-kind-unsupported', `${object} is unlogged: a crash empties it`, 'Run ALTER TABLE … SET LOGGED first.');
  if (shape.extension !== null) refuse('table-kind-unsupported', `${object} belongs to the extension ${shape.extension}`, unsupported);
  if (shape.tablespace || shape.indexes.some((x) => x.tablespace))
    refuse(
      'table-kind-unsupported',
      `${object} or an index of it lies in a tablespace of its own`,
      'Move it to the default tablespace first, or take it out of the plan.',
    );
  if (shape.labelled) refuse('table-kind-unsupported', `${object} has a security label`, unsupported);
  if (!shape.owned)
    refuse('not-owner', `${object} belongs to ${shape.owner}`, `Connect as ${shape.owner}, or GRANT ${shape.owner} TO the role that runs the migration.`);
  if (shape.kind === 'r' && t.key.length === 0)
    refuse(
      'primary-key-missing',
      `${object} has no primary key: its rows cannot be told apart`,
      'Add a primary key first (CREATE UNIQUE INDEX CONCURRENTLY, then ADD PRIMARY KEY USING INDEX).',
    );
  if (shape.rowSecurity || shape.forcedRowSecurity) refuse('dependent-unsupported', `${object} has row level security`, unsupported);
  if (shape.publications.length > 0)
    refuse(
      'dependent-unsupported',
      `${object} is published by ${shape.publications.join(', ')}: a subscriber would silently follow the wrong table`,
      'Take the table out of the publication for the migration, or take it out of the plan.',
    );
  if (shape.subscribed)
    refuse(
      'dependent-unsupported',
      `${object} receives rows from a subscription`,
      'Rebuild it on the publisher and let it replicate, or take it out of the plan.',
    );
  for (const dependent of shape.dependents)
    refuse(
      'dependent-unsupported',
      `${dependent} depends on ${object}`,
      'This version does not carry it over: drop it before the migration and create it again afterwards, or take the table out of the plan.',
      { object: dependent },
    );
  for (const name of shape.mentionedBy)
    found.push(
      warn('function-mentions-table', `function ${name} mentions ${object} in its text`, {
        object: name,
        hint: 'It keeps working by name; check that its parameters and variables fit the new types.',
      }),
    );
  for (const s of shape.sequences.filter((x) => x.kind === 'identity' && x.usedElsewhere))
    refuse(
      'dependent-unsupported',
      `another object uses the identity sequence ${s.schema}.${s.name} of ${object}`,
      'Give that object a sequence of its own first.',
    );
  for (const s of shape.sequences.filter((x) => !x.owned))
    refuse('not-owner', `the sequence ${s.schema}.${s.name} of ${object} belongs to another role`, `ALTER SEQUENCE … OWNER TO ${shape.owner}.`);
  for (const s of shape.sequences.filter((x) => x.schema !== table.schema))
    refuse('dependent-unsupported', `the sequence ${s.schema}.${s.name} of ${object} lies in another schema`, 'Move it into the schema of its table first.');
  const changed = t.columns.filter((c) => c.changed).map((c) => c.name);
  for (const c of shape.columns) {
    const wanted = spec.columns[c.name];
    if (wanted === undefined) continue;
    if (c.generatedKind !== '')
      refuse(
        'column-change-unsupported',
        `column ${c.name} of ${object} is generated`,
        'Change the expression by a sql step; a generated column cannot be converted.',
      );
    if (c.identity !== '' && (wanted.default !== undefined || wanted.using !== undefined))
      refuse(
        'column-change-unsupported',
        `column ${c.name} of ${object} is an identity column: it has no default and no using`,
        'Take default and using out of the plan.',
      );
    if (t.key.includes(c.name) && wanted['not-null'] === false)
      refuse(
        'column-change-unsupported',
        `column ${c.name} of ${object} is part of the primary key and cannot be nullable`,
        'Take not-null: false out of the plan.',
      );
  }
  for (const c of keyColumns(t)) {
    const s = shape.columns.find((x) => x.name === c.name);
    if (s !== undefined && !s.builtin && s.typeKind === 'b')
      refuse('column-change-unsupported', `key column ${c.name} of ${object} has a type from outside PostgreSQL (${c.oldType})`, unsupported);
  }
  for (const c of keyColumns(t)) {
    const several = (type: string): boolean => /^(numeric|real|double precision|interval|time with time zone)$/.test(type);
    const text = (type: string): boolean => /^(text|character|bpchar|name)/.test(type);
    if (c.changed && ((several(c.oldType) && text(c.newType)) || (text(c.oldType) && several(c.newType))))
      refuse(
        'column-change-unsupported',
        `key column ${c.name} of ${object}: equal values of ${several(c.oldType) ? c.oldType : c.newType} have several spellings (1.0 and 1.00), so a key that is spelled anew could not be followed`,
        'Use a type in which equal keys are spelled alike: bigint, numeric(p, s), uuid.',
      );
    if (c.oldType.endsWith('[]') || c.newType.endsWith('[]'))
      refuse('column-change-unsupported', `key column ${c.name} of ${object} is an array (${c.oldType})`, unsupported);
  }
  for (const x of shape.indexes) {
    if (!x.valid)
      refuse(
        'index-invalid',
        `index ${x.name} of ${object} is invalid (a CREATE INDEX CONCURRENTLY that failed)`,
        'REINDEX INDEX CONCURRENTLY it, or drop it.',
        { object: x.name },
      );
    if (x.rest === null) refuse('dependent-unsupported', `the definition of index ${x.name} of ${object} cannot be read`, unsupported, { object: x.name });
    if (x.tuned)
      refuse(
        'dependent-unsupported',
        `index ${x.name} of ${object} has statistics targets of its own`,
        'Reset them (ALTER INDEX … ALTER COLUMN … SET STATISTICS -1) for the migration.',
        { object: x.name },
      );
    if (spec.indexes[x.name] !== undefined || spec.unique[x.name] !== undefined) continue;
    const touches = (text: string | null): boolean =>
      text !== null && changed.some((c) => x.mentions.includes(c) && (text.includes(c) || text.includes(ident(c))));
    const special = x.special.filter((c) => changed.includes(c));
    if (touches(x.expression) || touches(x.predicate) || special.length > 0)
      refuse(
        'index-on-converted-column',
        `index ${x.name} of ${object} has an expression, condition, operator class or collation on a column that is converted`,
        `Say under indexes: what ${x.name} shall be afterwards.`,
        { object: x.name },
      );
  }
  for (const n of shape.constraints.filter((k) => k.type === 'x' && k.columns.some((c) => changed.includes(c))))
    refuse('index-on-converted-column', `exclusion constraint ${n.name} of ${object} is on a column that is converted`, unsupported, { object: n.name });
  for (const n of shape.constraints.filter((k) => !k.local)) refuse('table-kind-unsupported', `constraint ${n.name} of ${object} is inherited`, unsupported);
  return found;
}

function ofKeys(reading: Reading): readonly Finding[] {
  const { group } = reading;
  const found: Finding[] = [];
  for (const k of group.keys) {
    const object = `${display(k.child)}.${k.name}`;
    const fk = reading.sources
      .flatMap((s) => s.shape.foreignKeys)
      .find((f) => f.name === k.name && f.child.schema === k.child.schema && f.child.name === k.child.name);
    if (fk !== undefined && (fk.childKind === 'p' || fk.parentKind === 'p'))
      found.push(
        block('dependent-unsupported', `foreign key ${object} has a partitioned table on one side`, {
          object,
          hint: 'This version cannot rebuild a table that such a key ties to a partitioned one.',
        }),
      );
    if (fk !== undefined && k.childAt < 0 && !fk.childOwned)
      found.push(
        block('not-owner', `foreign key ${object} must be replaced and its table belongs to another role`, {
          object,
          hint: 'Connect as a role that is a member of both owners.',
        }),
      );
    if (k.childAt < 0 && k.parentAt >= 0) {
      const t = group.tables[k.parentAt];
      if (t !== undefined && columnsOf(t, k.parentColumns).some((c) => c.changed))
        found.push(
          block('reference-outside-group', `${display(k.child)} refers by ${k.name} to columns of ${display(k.parent)} that are converted`, {
            object,
            hint: `Add ${display(k.child)} to this step and convert ${k.childColumns.join(', ')} as well.`,
          }),
        );
    }
  }
  if (parentsFirst(group) === null && group.tables.some((t) => t.unfit === 'quarantine'))
    found.push(
      block('reference-circle', 'the foreign keys between the tables of this step run in a circle, so no order exists in which rows could be set aside', {
        hint: 'Use unfit: fail, or give the circle a step of its own without new keys.',
      }),
    );
  return found;
}

/** Neighbours on the server. */
async function ofServer(cx: ReadContext, reading: Reading): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  const server = await cx.db.one<{ mayCreate: boolean; prepared: number; long: number[]; dumps: number[]; wraparound: string[]; slots: string[] }>(
    'rebuild-tables/server',
  );
  if (!server.mayCreate)
    found.push(
      block('privilege-missing', `the role may not create schemas in database ${cx.db.target.database}`, {
        hint: `GRANT CREATE ON DATABASE ${cx.db.target.database} TO ${cx.db.target.user}.`,
      }),
    );
  for (const schema of new Set(reading.sources.map((s) => s.table.schema))) {
    const { mayCreate } = await cx.db.one<{ mayCreate: boolean }>('rebuild-tables/schema-rights', { values: [schema] });
    if (!mayCreate)
      found.push(
        block('privilege-missing', `the role may not create objects in schema ${schema}`, {
          object: schema,
          hint: `GRANT CREATE ON SCHEMA ${ident(schema)} TO ${ident(cx.db.target.user)}.`,
        }),
      );
  }
  for (const text of server.wraparound) {
    const hit = reading.sources.filter((s) => text.includes(s.table.name));
    for (const s of hit)
      found.push(
        block('vacuum-in-the-way', `an autovacuum against wraparound is working on ${display(s.table)}; it does not give way`, {
          object: display(s.table),
          hint: 'Run again when it has ended.',
        }),
      );
  }
  if (server.prepared > 0)
    found.push(
      warn('prepared-transactions', `${String(server.prepared)} prepared transactions are open; one that holds a table of this step stops the swap`, {
        count: server.prepared,
        hint: 'COMMIT PREPARED or ROLLBACK PREPARED those that are not needed.',
      }),
    );
  if (server.long.length > 0)
    found.push(
      warn('long-transactions', `transactions older than five minutes: pid ${server.long.join(', ')}`, {
        count: server.long.length,
        hint: 'A lock that they hold stops the swap; end them if they are not needed.',
      }),
    );
  if (server.dumps.length > 0)
    found.push(
      warn('long-transactions', `pg_dump is running: pid ${server.dumps.join(', ')}`, {
        count: server.dumps.length,
        hint: 'The swap waits until it has ended.',
      }),
    );
  if (server.slots.length > 0)
    found.push(
      warn('replication-slots', `logical slots will receive the copy as changes: ${server.slots.join(', ')}`, {
        hint: 'Watch the disk of the server while the step runs.',
      }),
    );
  const changed = reading.group.tables.filter((t) => t.columns.some((c) => c.changed));
  if (changed.length > 0)
    found.push(
      note(
        'named-statements',
        `types change in ${changed.map((t) => display(t.table)).join(', ')}: named prepared statements on them fail (0A000, 42883, 42804) until their connection is opened anew`,
        {
          hint: 'Set recycle-connections: true in the plan, or restart the pool after the migration. Unnamed statements are not affected.',
        },
      ),
    );
  return found;
}

/** What can be planned but not run: conversions, defaults, foreign keys between types that do not compare. */
async function ofDefinitions(cx: ReadContext, reading: Reading): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  const db = cx.db;
  for (const [i, t] of reading.group.tables.entries()) {
    const source = reading.sources[i];
    if (source?.shape.kind !== 'r') continue;
    const object = display(t.table);
    for (const c of t.columns.filter((x) => x.changed)) {
      const forward = await explained(db, glue`SELECT CAST(${c.convert} AS ${fromCatalog(c.newType)}) FROM ONLY ${ident(t.table)} o`);
      if (forward === null)
        found.push(
          block('conversion-unknown', `column ${c.name} of ${object}: ${c.oldType} cannot be converted to ${c.newType} as written`, {
            object,
            hint: 'Give using: with an expression over the old columns that yields the new type; functions outside pg_catalog need their schema.',
          }),
        );
      const backward = await explained(
        db,
        glue`SELECT CAST(${c.back} AS ${fromCatalog(c.oldType)}) FROM (SELECT ${join(t.columns.map((x) => glue`NULL::${fromCatalog(x.newType)} AS ${ident(x.name)}`))}) n`,
      );
      if (backward === null)
        found.push(
          block(
            'conversion-unknown',
            `column ${c.name} of ${object}: ${c.newType} cannot be converted back to ${c.oldType}, so a rollback would be impossible`,
            { object, hint: 'Give back: with an expression over the new columns that yields the old type.' },
          ),
        );
      if (
        t.key.includes(c.name) &&
        (await explained(
          db,
          glue`SELECT ${c.convert} FROM (SELECT ${join(keyColumns(t).map((x) => glue`NULL::${fromCatalog(x.oldType)} AS ${ident(x.name)}`))}) o`,
        )) === null &&
        forward !== null
      )
        found.push(
          block('conversion-unknown', `column ${c.name} of ${object} is part of the key, and its using: needs columns that are not`, {
            object,
            hint: 'A key must be convertible from the key alone.',
          }),
        );
    }
    for (const [name, wanted] of Object.entries(source.spec.columns)) {
      if (wanted.default === undefined || wanted.default === null) continue;
      const type = t.columns.find((c) => c.name === name)?.newType;
      if (type !== undefined && (await explained(db, glue`SELECT CAST((${fromCatalog(String(wanted.default))}) AS ${fromCatalog(type)})`)) === null)
        found.push(
          block('conversion-unknown', `the default of column ${name} of ${object} is not an expression of type ${type}`, {
            object,
            hint: 'Write default: as in CREATE TABLE; text needs its own quotes inside.',
          }),
        );
    }
  }
  for (const k of reading.group.keys.filter((x) => x.planned || x.childAt >= 0)) {
    const child = reading.group.tables[k.childAt];
    const inside = k.parentAt < 0 ? undefined : reading.group.tables[k.parentAt];
    const object = `${display(k.child)}.${k.name}`;
    const parentColumns =
      inside === undefined
        ? join(k.parentColumns.map((c) => glue`p.${ident(c)}`))
        : join(columnsOf(inside, k.parentColumns).map((c) => glue`NULL::${fromCatalog(c.newType)}`));
    if (inside === undefined) {
      const [exists] = await db.select<{ found: boolean; may: boolean | null }>(
        glue`SELECT to_regclass($1) IS NOT NULL AS found, has_table_privilege(to_regclass($1), 'REFERENCES') AS may`,
        [ident(k.parent)],
      );
      if (exists?.found !== true) {
        found.push(
          block('table-not-found', `foreign key ${object} refers to ${display(k.parent)}, which does not exist`, {
            object,
            hint: 'Correct references: in the plan.',
          }),
        );
        continue;
      }
      if (exists.may !== true)
        found.push(
          block('privilege-missing', `the role may not refer to ${display(k.parent)}`, {
            object,
            hint: `GRANT REFERENCES ON ${ident(k.parent)} TO ${ident(cx.db.target.user)}.`,
          }),
        );
    }
    const childColumns = child === undefined ? [] : columnsOf(child, k.childColumns);
    if (childColumns.length !== k.parentColumns.length) {
      found.push(
        block('reference-type-mismatch', `foreign key ${object} has ${String(k.childColumns.length)} columns and refers to ${String(k.parentColumns.length)}`, {
          object,
          hint: 'Both lists need the same number of existing columns.',
        }),
      );
      continue;
    }
    const left = join(childColumns.map((c) => glue`NULL::${fromCatalog(c.newType)}`));
    const from = inside === undefined ? glue` FROM ONLY ${ident(k.parent)} p` : fromCatalog('');
    if ((await explained(db, glue`SELECT ROW(${left}) = ROW(${parentColumns})${from}`)) === null)
      found.push(
        block(
          'reference-type-mismatch',
          `foreign key ${object}: ${childColumns.map((c) => c.newType).join(', ')} cannot be compared with ${k.parentColumns.join(', ')} of ${display(k.parent)}`,
          { object, hint: 'Give both sides the same type, and name columns that exist.' },
        ),
      );
    if (k.planned && !(await isUnique(cx, reading, k.parentAt, k)))
      found.push(
        block('reference-type-mismatch', `foreign key ${object}: ${k.parentColumns.join(', ')} of ${display(k.parent)} is not unique`, {
          object,
          hint: 'A foreign key refers to a primary key or to unique columns.',
        }),
      );
  }
  return found;
}

async function isUnique(
  cx: ReadContext,
  reading: Reading,
  parentAt: number,
  k: { readonly parent: { readonly schema: string; readonly name: string }; readonly parentColumns: readonly string[] },
): Promise<boolean> {
  const wanted = [...k.parentColumns].sort().join('\0');
  const inside = reading.sources[parentAt];
  if (inside !== undefined && Object.values(inside.spec.unique).some((u) => [...u.columns].sort().join('\0') === wanted)) return true;
  const rows = await cx.db.rows<{ columns: string[] }>('rebuild-tables/unique-columns', { values: [ident(k.parent)] });
  return rows.some((r) => [...r.columns].sort().join('\0') === wanted);
}

/** What only the rows can tell: values that do not fit, keys that do not come back, rows without a parent. */
async function ofRows(cx: ReadContext, reading: Reading, counts: Record<string, number>): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  const unfit: (readonly string[])[] = [];
  for (const t of reading.group.tables) {
    const judged = await judge(cx, t);
    unfit.push(judged.unfitKeys);
    const object = display(t.table);
    if (judged.broken > 0)
      found.push(
        block('key-not-convertible', `${object}: ${String(judged.broken)} rows have a key that cannot be converted`, {
          object,
          count: judged.broken,
          keys: judged.brokenKeys,
          hint: 'Correct those keys, or leave the key as it is: rows without a key cannot be followed.',
        }),
      );
    if (judged.moved > 0)
      found.push(
        block('key-not-convertible', `${object}: ${String(judged.moved)} keys do not come back as they were (upper case, braces, other spellings)`, {
          object,
          count: judged.moved,
          hint: 'Write those keys in their canonical form first; otherwise a rollback could not find their rows.',
        }),
      );
    if (judged.lossy > 0)
      found.push(
        block('conversion-inexact', `${object}: the conversion would round or shorten values in ${String(judged.lossy)} rows`, {
          object,
          count: judged.lossy,
          hint: 'Choose a type that holds them, or say using: if that is meant.',
        }),
      );
    if (judged.unfit > 0) {
      if (t.unfit === 'fail')
        found.push(
          block('values-unfit', `${object}: ${String(judged.unfit)} rows have values that do not fit the new types`, {
            object,
            count: judged.unfit,
            keys: judged.unfitKeys.slice(0, 100),
            hint: 'Correct them, give using:, or say unfit: quarantine.',
          }),
        );
      else if (judged.unfit > 10_000)
        found.push(
          block('values-unfit', `${object}: more than 10000 rows do not fit the new types`, {
            object,
            count: judged.unfit,
            hint: 'That is not an exception but the rule: give using: with a conversion for them.',
          }),
        );
      else {
        counts[`${t.written}.conversion`] = judged.unfit;
        found.push(
          warn('values-unfit', `${object}: ${String(judged.unfit)} rows do not fit the new types and will be set aside`, {
            object,
            count: judged.unfit,
            keys: judged.unfitKeys.slice(0, 100),
          }),
        );
      }
    }
    if (judged.broken === 0) found.push(...(await collisions(cx, reading, t, judged.unfitKeys)));
  }
  if (found.some((f) => f.severity === 'block')) return found;
  if (unfit.every((keys) => keys.length === 0) && !(await anyOrphan(cx.db, reading.group, 'before', false))) return found;
  for (const o of await countOrphans(cx.db, reading.group, { kind: 'before', unfit })) {
    const object = `${display(o.table.table)}.${o.key}`;
    if (o.table.unfit === 'fail')
      found.push(
        block('orphans-found', `${display(o.table.table)}: ${String(o.rows)} rows have no parent for ${o.key}`, {
          object,
          count: o.rows,
          keys: o.keys,
          hint: 'Correct them, or say unfit: quarantine for this table.',
        }),
      );
    else {
      counts[`${o.table.written}.${o.key}`] = o.rows;
      found.push(
        warn('orphans-found', `${display(o.table.table)}: ${String(o.rows)} rows have no parent for ${o.key} and will be set aside`, {
          object,
          count: o.rows,
          keys: o.keys,
        }),
      );
    }
  }
  for (const { key, rows } of await countOutsideChildren(cx.db, reading.group, { kind: 'before', unfit }))
    found.push(
      block('reference-outside-group', `${String(rows)} rows of ${display(key.child)} refer by ${key.name} to rows that would be set aside`, {
        object: `${display(key.child)}.${key.name}`,
        count: rows,
        hint: 'Correct them, or add that table to this step with unfit: quarantine.',
      }),
    );
  return found;
}

interface Judged {
  readonly unfit: number;
  readonly unfitKeys: readonly string[];
  readonly broken: number;
  readonly brokenKeys: readonly string[];
  readonly moved: number;
  readonly lossy: number;
}

const any = (parts: readonly Sql[]): Sql =>
  parts.length === 0
    ? fromCatalog('false')
    : join(
        parts.map((p) => glue`(${p})`),
        ' OR ',
      );

async function judge(cx: ReadContext, t: Rebuilt): Promise<Judged> {
  const clean = { unfit: 0, unfitKeys: [], broken: 0, brokenKeys: [], moved: 0, lossy: 0 };
  if (!t.converts) return clean;
  const changed = t.columns.filter((c) => c.changed);
  const mustHave = t.columns.filter((c) => c.notNull && c.insertable);
  const tooLong = changed.flatMap((c) => {
    const length = /^character(?: varying)?\((\d+)\)$/.exec(c.newType)?.[1];
    return length === undefined ? [] : [glue`char_length((${c.convert})::text) > ${fromCatalog(length)}`];
  });
  try {
    const row = await cx.db.one<{ rows: number; lossy: number; moved: number; unfit: number }>('rebuild-tables/judge', {
      names: { table: t.table },
      parts: {
        loses: any(t.columns.flatMap((c) => (c.loses === null ? [] : [c.loses]))),
        key_moves: any(
          keyColumns(t)
            .filter((c) => c.changed)
            .map((c) => glue`${c.thereAndBack} IS DISTINCT FROM o.${ident(c.name)}`),
        ),
        unfit: any([...tooLong, ...mustHave.map((c) => glue`${c.convert} IS NULL`)]),
        conversions: join([fromCatalog('0'), ...changed.map((c) => glue`count(${c.convert})`)], ' + '),
      },
    });
    if (row.unfit === 0) return { ...clean, moved: row.moved, lossy: row.lossy };
  } catch (error) {
    if (!(error instanceof QueryFailed && /^(22|23)/.test(error.sqlstate))) throw error;
  }
  return { ...clean, ...(await judgeRows(cx, t, changed, mustHave)) };
}

async function judgeRows(
  cx: ReadContext,
  t: Rebuilt,
  changed: readonly ColumnPlan[],
  mustHave: readonly ColumnPlan[],
): Promise<Pick<Judged, 'unfit' | 'unfitKeys' | 'broken' | 'brokenKeys'>> {
  const set = (c: ColumnPlan): Sql => glue`v${fromCatalog(String(t.columns.indexOf(c)))} := ${c.convert};`;
  await cx.db.rows('rebuild-tables/judge-rows', {
    names: { table: t.table },
    parts: {
      variables: join(
        changed.map((c) => glue`v${fromCatalog(String(t.columns.indexOf(c)))} ${fromCatalog(c.newType)};`),
        ' ',
      ),
      key: join(keyColumns(t).map((c) => glue`o.${ident(c.name)}`)),
      key_conversions: join([fromCatalog('NULL;'), ...changed.filter((c) => t.key.includes(c.name)).map(set)], ' '),
      conversions: join([fromCatalog('NULL;'), ...changed.filter((c) => !t.key.includes(c.name)).map(set)], ' '),
      empty: any(mustHave.map((c) => glue`${c.convert} IS NULL`)),
    },
  });
  return (await cx.db.one<{ judged: Pick<Judged, 'unfit' | 'unfitKeys' | 'broken' | 'brokenKeys'> }>('rebuild-tables/judged')).judged;
}

/** Values that are different now and equal after the conversion, in every unique key that a conversion touches or the plan adds. */
async function collisions(cx: ReadContext, reading: Reading, t: Rebuilt, unfitKeys: readonly string[]): Promise<readonly Finding[]> {
  const source = reading.sources[reading.group.tables.indexOf(t)];
  if (source === undefined) return [];
  const changed = new Set(t.columns.filter((c) => c.changed).map((c) => c.name));
  const unique = [
    ...source.shape.indexes
      .filter((x) => x.unique && x.expression === null && x.predicate === null && x.columns.some((c) => changed.has(c)))
      .map((x) => ({ name: x.name, columns: x.columns })),
    ...Object.entries(source.spec.unique).map(([name, u]) => ({ name, columns: u.columns })),
  ];
  const found: Finding[] = [];
  const key = join(keyColumns(t).map((c) => glue`o.${ident(c.name)}`));
  for (const u of unique) {
    const columns = columnsOf(t, u.columns);
    const row = await cx.db.one<{ groups: number; keys: string[] }>('rebuild-tables/collisions', {
      names: { table: t.table },
      parts: {
        key,
        columns: join(columns.map((c) => c.convert)),
        fit: join(
          [
            ...(unfitKeys.length === 0
              ? []
              : [glue`ROW(${key})::text <> ALL (ARRAY[${join(unfitKeys.map((k) => glue`${fromCatalog(`'${k.replaceAll("'", "''")}'`)}`))}])`]),
            ...columns.map((c) => glue`o.${ident(c.name)} IS NOT NULL`),
          ],
          ' AND ',
        ),
      },
    });
    if (row.groups > 0)
      found.push(
        block('key-not-convertible', `${display(t.table)}: ${String(row.groups)} values of ${u.name} would be equal to others after the conversion`, {
          object: u.name,
          count: row.groups,
          keys: row.keys,
          hint: 'Two spellings of one value, or duplicates that a new unique key forbids: change one of each pair.',
        }),
      );
  }
  return found;
}
