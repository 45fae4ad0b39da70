import { z } from 'zod';
import { QueryFailed, UserError } from '../errors.js';
import { block, note, warn, type Finding } from '../finding.js';
import { display, isOurs, oldSchemaOf, type Relation } from '../names.js';
import { dropTriggers } from '../online/capture.js';
import { fenceTriggers } from '../online/guard.js';
import type { ReadDb } from '../pg/db.js';
import { fromCatalog, ident, join, render } from '../pg/render.js';
import type { Check, TableAccount } from '../report/event.js';
import { bookUse, canReturn, fenced, inUse, prepareFences, releaseFences } from '../retire/kept.js';
import { json, lockList, lockTables, underLock, unvalidated, validate, whereabouts, type DroppedKey, type Moved } from '../retire/move.js';
import { foreignKeysFrom, functionsNaming, oidList, parentFindings, retiredBy, rowsIn, useOf, wholeWord } from '../retire/tables.js';
import type { ReadContext, Step, StepContext } from './step.js';

export const schema = z
  .array(z.string().min(1))
  .min(1, 'found an empty list, expected the schemas to retire')
  .refine((names) => new Set(names).size === names.length, 'a schema is named twice')
  .describe('whole schemas to move out of sight; archived and dropped by cleanup');
export type RetireSchemas = z.infer<typeof schema>;

type RetiredSchema = {
  readonly schema: string;
  readonly oid: number;
  readonly home: string;
  /** the comment it had, given back by the undo */
  readonly comment: string | null;
  readonly tables: readonly { readonly name: string; readonly oid: number }[];
  /** foreign keys that led out of all retired schemas (DECISIONS 27) */
  readonly keys: readonly (DroppedKey & { readonly table: string })[];
};

export type RetireSchemasReceipt = {
  readonly retired: readonly { readonly namespace: string }[];
  readonly schemas: readonly RetiredSchema[];
  readonly done: {
    readonly at: string;
    readonly lockMs: number;
    readonly rows: Readonly<Record<string, number>>;
    readonly scans: Readonly<Record<string, number>>;
  } | null;
};

interface SchemaFacts {
  readonly name: string;
  readonly oid: number;
  readonly owned: boolean;
  readonly owner: string;
  readonly comment: string | null;
  readonly may_rename: boolean;
  readonly extensions: readonly string[];
}
interface Table extends Relation {
  readonly oid: number;
  readonly namespace: number;
  readonly kind: string;
  readonly owned: boolean;
  readonly owner: string;
  readonly hidden: boolean;
  readonly publications: readonly string[];
}

const factsOf = async (db: ReadDb, names: readonly string[]): Promise<readonly (SchemaFacts | null)[]> =>
  (await db.rows<Omit<SchemaFacts, 'oid'> & { oid: number | null }>('retire-schemas/facts', { values: [names] })).map((r) =>
    r.oid === null ? null : { ...r, oid: r.oid },
  );
const tablesOf = (db: ReadDb, oids: readonly number[]): Promise<readonly Table[]> => db.rows<Table>('retire-schemas/relations', { values: [oids] });
const namesNow = async (db: ReadDb, s: readonly RetiredSchema[]): Promise<ReadonlyMap<number, string>> =>
  new Map((await db.rows<{ oid: number; name: string }>('retire-schemas/names', { values: [s.map((x) => x.oid)] })).map((r) => [r.oid, r.name]));

const isSystem = (name: string): boolean => name.startsWith('pg_') || name === 'information_schema' || isOurs(name) || name.startsWith('lossless_');

/** The tables of the retired schemas, as what they are: tables kept elsewhere. */
const movesOf = (receipt: RetireSchemasReceipt): readonly Moved[] =>
  receipt.schemas.flatMap((s) =>
    s.tables.map((t) => ({ schema: s.schema, name: t.name, oid: t.oid, home: s.home, statistics: [], keys: s.keys.filter((k) => k.table === t.name) })),
  );

/**
 * Renames whole schemas to `lossless_old_<run>_s_<name>`; grants and everything inside stay as they are. ACCESS EXCLUSIVE on
 * their tables and on the parents of foreign keys that lead out, for some milliseconds; those keys are dropped and kept in the
 * receipt. A fence on every table answers later writes with 40001.
 */
export const retireSchemas: Step<RetireSchemas, RetireSchemasReceipt> = {
  schema,

  describe: (spec) => ({
    title: `retire ${spec.length === 1 ? 'schema' : 'schemas'} ${spec.join(', ')}`,
    touches: [],
    schemas: spec,
    anything: false,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: false,
    undo: 'until-cleanup',
  }),

  async preflight(cx, spec) {
    const findings: Finding[] = [];
    const found: SchemaFacts[] = [];
    const user = cx.db.target.user;
    let proven = 0;
    const all = await factsOf(cx.db, spec);
    for (const [i, name] of spec.entries()) {
      const facts = all[i] ?? null;
      if (isSystem(name)) {
        findings.push(
          block('schema-not-retirable', `schema ${name} belongs to ${isOurs(name) ? 'Lossless' : 'PostgreSQL'}`, {
            object: name,
            hint: 'Take it out of the plan.',
          }),
        );
      } else if (facts === null) {
        const run = await retiredBy(cx.db, { namespace: name });
        if (run === null)
          findings.push(
            block('schema-not-found', `schema ${name} does not exist, and nothing proves that it was retired`, {
              object: name,
              hint: 'Correct the name (case matters), or take it out of the plan.',
            }),
          );
        else findings.push(note('already-done', `schema ${name} was retired by run ${run}`, { object: name }));
        proven += run === null ? 0 : 1;
      } else {
        if (!facts.owned || !facts.may_rename) {
          const what = facts.owned
            ? `${user} may not CREATE in the database, which a rename needs`
            : `schema ${name} belongs to ${facts.owner}, not to ${user}`;
          findings.push(
            block('not-owner', what, {
              object: name,
              hint: facts.owned ? `GRANT CREATE ON DATABASE to ${user}.` : 'Schemas that the platform owns stay; else connect as the owner.',
            }),
          );
        }
        const members = await cx.db.rows<{ extension: string }>('retire-schemas/members', { values: [[facts.oid]] });
        const extensions = new Set([...facts.extensions, ...members.map((m) => m.extension)]);
        if (extensions.size === 0) found.push(facts);
        for (const extension of extensions) {
          findings.push(
            block('schema-not-retirable', `schema ${name} holds the extension ${extension}`, {
              object: name,
              hint: `DROP EXTENSION, or ALTER EXTENSION ${extension} SET SCHEMA, first.`,
            }),
          );
        }
        for (const f of await functionsNaming(cx.db, name)) {
          findings.push(
            warn('mentioned-in-function', `the text of function ${f} mentions ${name}`, {
              object: f,
              hint: 'PostgreSQL does not track names inside a function body: check that nothing calls it, or change it.',
            }),
          );
        }
        for (const s of await cx.db.rows<{ database: string; role: string }>('retire-schemas/settings', { values: [wholeWord(name)] })) {
          findings.push(
            warn('mentioned-in-setting', `search_path of ${s.role} in ${s.database} names ${name}`, {
              object: name,
              hint: 'ALTER ROLE … RESET search_path, or leave it: a missing schema in it is ignored.',
            }),
          );
        }
      }
    }
    const oids = found.map((f) => f.oid);
    for (const t of await tablesOf(cx.db, oids)) {
      const object = display(t);
      if (t.kind === 'p')
        findings.push(
          block('table-cannot-move', `${object} is a partitioned table`, {
            object,
            hint: 'Fences on partitions are not supported yet; drop or detach them first.',
          }),
        );
      if (!t.owned)
        findings.push(block('not-owner', `${object} belongs to ${t.owner}, not to ${user}`, { object, hint: `Connect as ${t.owner} or as a member of it.` }));
      if (t.publications.length > 0)
        findings.push(
          block('table-cannot-move', `${object} is published by ${t.publications.join(', ')}`, {
            object,
            hint: 'ALTER PUBLICATION … DROP TABLE first, and tell the subscribers.',
          }),
        );
      if (t.hidden)
        findings.push(
          block('table-cannot-move', `${object} has FORCE ROW LEVEL SECURITY, which hides rows from this role`, { object, hint: 'Use a role with BYPASSRLS.' }),
        );
      const rows = t.kind === 'r' && t.owned && !t.hidden ? await rowsIn(cx.db, t) : 0;
      if (rows > 0) findings.push(note('rows-retired', `${object} is retired with its ${String(rows)} rows`, { object, count: rows }));
    }
    findings.push(...(await outsideUse(cx.db, oids)));
    findings.push(...parentFindings(await keysOut(cx.db, oids), user));
    return { findings, counts: {}, done: proven === spec.length };
  },

  async apply(cx, spec, receipt) {
    const last = receipt.last;
    if (last !== null) {
      const now = await namesNow(cx.db, last.schemas);
      if (last.schemas.every((s) => now.get(s.oid) === s.home)) {
        if (last.done === null) await receipt.save({ ...last, done: await settled(cx, last, 0) });
        return;
      }
    }
    for (let attempt = 1; ; attempt += 1) {
      const planned = await plannedRenames(cx, spec);
      await receipt.save(planned);
      if (planned.schemas.length === 0) {
        await receipt.save({ ...planned, done: { at: cx.clock.now().toISOString(), lockMs: 0, rows: {}, scans: {} } });
        return;
      }
      await prepareFences(cx, movesOf(planned));
      const lockMs = await rename(cx, planned);
      if (lockMs !== null) {
        await receipt.save({ ...planned, done: await settled(cx, planned, lockMs) });
        return;
      }
      if (attempt === 3)
        throw new UserError(`${spec.join(', ')}: tables or foreign keys kept changing while the schemas were to be retired`, {
          hint: 'Stop other schema changes and run the phase again; nothing was changed.',
        });
    }
  },

  async verify(cx, _spec, receipt) {
    const checks: Check[] = [];
    const tables: TableAccount[] = [];
    const now = await namesNow(cx.db, receipt.schemas);
    const there = await factsOf(
      cx.db,
      receipt.schemas.map((s) => s.schema),
    );
    const where = await whereabouts(
      cx.db,
      movesOf(receipt).map((m) => m.oid),
    );
    let rowsCompared = 0;
    for (const [i, s] of receipt.schemas.entries()) {
      const away = now.get(s.oid) === s.home;
      const bare = s.tables.filter((t) => !fenced(where.get(t.oid))).length;
      let changed = 0;
      for (const t of away ? s.tables : []) {
        const rows = await rowsIn(cx.db, { schema: s.home, name: t.name });
        const before = receipt.done?.rows[`${s.schema}.${t.name}`] ?? null;
        rowsCompared += rows;
        changed += rows === before ? 0 : 1;
        tables.push({ step: cx.stepId, table: `${s.schema}.${t.name}`, before, after: rows, quarantined: 0, checksum: null, proof: 'count' });
      }
      const gone = (there[i] ?? null) === null;
      checks.push({
        name: `schema ${s.schema} is retired`,
        criterion: 'other',
        expected: `out of sight, ${String(s.tables.length)} tables fenced, none changed`,
        actual: `${gone ? 'out of sight' : 'a schema of that name is there'}${away ? '' : ', the retired schema is missing'}, ${String(s.tables.length - bare)} tables fenced, ${changed === 0 ? 'none' : String(changed)} changed`,
        verdict: gone && away && bare === 0 && changed === 0 ? 'pass' : 'fail',
      });
    }
    return { findings: [], checks, tables, notCompared: [], rowsCompared };
  },

  canUndo: (cx, _spec, receipt) => canRenameBack(cx.db, receipt),

  async undo(cx, _spec, receipt) {
    if (receipt === null) return;
    const now = await namesNow(cx.db, receipt.schemas);
    for (const s of receipt.schemas) {
      const name = now.get(s.oid);
      if (name !== s.home && name !== s.schema) {
        throw new UserError(
          `schema ${s.schema} cannot be brought back: ${name === undefined ? `${s.home} is gone` : `the retired schema is called ${name} now`}`,
          { hint: name === undefined ? 'Restore it from the backup of this run.' : `Rename it to ${s.home}, then undo again.` },
        );
      }
    }
    const away = receipt.schemas.filter((s) => now.get(s.oid) === s.home);
    const moves = movesOf(receipt);
    const where = await whereabouts(
      cx.db,
      moves.map((m) => m.oid),
    );
    const missing = moves.flatMap((m) =>
      m.keys.filter((k) => !(where.get(m.oid)?.keys ?? []).some((have) => have.name === k.name)).map((k) => ({ ...k, schema: m.schema, table: m.name })),
    );
    if (away.length > 0 || missing.length > 0) {
      const tables = moves.map((m): Relation => ({ schema: away.some((s) => s.home === m.home) ? m.home : m.schema, name: m.name }));
      const locks = lockList([...tables, ...missing.map((k) => k.parent)]);
      const body = render('retire-schemas/move-back', {
        parts: {
          lock: lockTables(locks, 'ACCESS EXCLUSIVE', 'NULL'),
          unfence: join([...tables.flatMap((t) => dropTriggers(cx.run, t, ['fence_s', 'fence_r'])), fromCatalog('NULL')], ';\n'),
          schemas: json(away),
          keys: json(missing.map((k) => ({ schema: k.schema, table: k.table, name: k.name, comment: k.comment, definition: unvalidated(k.definition) }))),
        },
      });
      await underLock(cx, locks, body, `bring back schema ${receipt.schemas.map((s) => s.schema).join(', ')}`);
    }
    for (const m of moves) for (const key of m.keys) if (key.valid) await validate(cx, m, key);
    await releaseFences(cx, moves);
  },

  async watch(cx, _spec, receipt) {
    const findings: Finding[] = [];
    const tables: TableAccount[] = [];
    const moves = movesOf(receipt);
    const now = await namesNow(cx.db, receipt.schemas);
    for (const s of receipt.schemas) {
      if (now.get(s.oid) !== s.home)
        findings.push(
          block('retired-table-missing', `schema ${s.home} is gone`, {
            object: s.home,
            hint: 'Somebody dropped or renamed it. The backup of this run still has it.',
          }),
        );
    }
    const where = await whereabouts(
      cx.db,
      moves.map((m) => m.oid),
    );
    for (const m of moves) {
      if (now.get(receipt.schemas.find((s) => s.home === m.home)?.oid ?? 0) !== m.home) continue;
      const object = `${m.home}.${m.name}`;
      const place = where.get(m.oid);
      if (place === undefined) {
        findings.push(block('retired-table-missing', `${object} is gone`, { object, hint: 'Somebody dropped it. The backup of this run still has it.' }));
        continue;
      }
      if (!fenced(place))
        findings.push(
          block('fence-missing', `${object} lost its fence: writes to it would go unnoticed`, {
            object,
            hint: 'Somebody dropped or disabled the triggers; see who writes to it.',
          }),
        );
      const rows = await rowsIn(cx.db, { schema: m.home, name: m.name });
      const before = receipt.done?.rows[display(m)] ?? rows;
      if (rows !== before)
        findings.push(
          block('retired-rows-changed', `${object} has ${String(rows)} rows, expected ${String(before)}`, {
            object,
            count: rows,
            hint: 'A retired table must not change: find out who wrote to it.',
          }),
        );
      tables.push({ step: cx.stepId, table: display(m), before, after: rows, quarantined: 0, checksum: null, proof: 'count' });
    }
    await bookUse(cx, moves);
    return { findings, drained: 0, backlog: 0, blocking: await canRenameBack(cx.db, receipt), tables };
  },

  async canCleanup(cx, _spec, receipt) {
    const now = await namesNow(cx.db, receipt.schemas);
    const away = receipt.schemas.filter((s) => now.get(s.oid) === s.home).map((s) => s.oid);
    return [...(await outsideUse(cx.db, away)), ...(await inUse(cx, movesOf(receipt), receipt.done))];
  },

  retired: (_spec, receipt) => movesOf(receipt).map((m) => ({ schema: m.home, name: m.name })),
  retiredSchemas: (_spec, receipt) => receipt.schemas.map((s) => s.home),

  async cleanup(cx, _spec, receipt) {
    const now = await namesNow(cx.db, receipt.schemas);
    const away = receipt.schemas.filter((s) => now.get(s.oid) === s.home);
    if (away.length > 0) {
      await cx.db.transaction(async (tx) => {
        const used = await outsideUse(
          tx,
          away.map((s) => s.oid),
        );
        if (used.length > 0)
          throw new UserError(used.map((f) => f.message).join('; '), {
            hint: 'Nothing was dropped. Change what depends on the retired schema, then clean up again.',
          });
        await tx.change('retire-schemas/drop', { parts: { schemas: join(away.map((s) => ident(s.home))) } });
      });
    }
    await releaseFences(cx, movesOf(receipt));
  },
};

/** Block findings for objects outside the schemas that depend on something in them. */
async function outsideUse(db: ReadDb, oids: readonly number[]): Promise<readonly Finding[]> {
  if (oids.length === 0) return [];
  const rows = await db.rows<{ kind: string; identity: string; schema: string | null; on: string }>('retire-schemas/dependents', {
    parts: { oids: oidList(oids) },
  });
  return rows
    .filter((d, i) => (d.schema === null || !isOurs(d.schema)) && rows.findIndex((o) => o.kind === d.kind && o.identity === d.identity) === i)
    .map((d) =>
      d.kind === 'foreign key'
        ? block('referenced-from-outside', `${d.on} is referenced by the foreign key ${d.identity}`, {
            object: d.identity,
            hint: 'Drop the key with a `sql` step before this one.',
          })
        : block('has-dependents', `${d.on} is used by ${d.kind} ${d.identity}`, {
            object: d.identity,
            hint: 'Change or drop it with a `sql` step before this one.',
          }),
    );
}

/** Foreign keys from tables of the schemas to tables outside all of them. */
async function keysOut(db: ReadDb, oids: readonly number[]): ReturnType<typeof foreignKeysFrom> {
  const tables = await tablesOf(db, oids);
  const inside = new Set(tables.map((t) => t.oid));
  return (await foreignKeysFrom(db, [...inside])).filter((k) => !inside.has(k.parent_oid));
}

async function plannedRenames(cx: StepContext, spec: RetireSchemas): Promise<RetireSchemasReceipt> {
  const all = await factsOf(cx.db, spec);
  const found: SchemaFacts[] = [];
  for (const [i, name] of spec.entries()) {
    const facts = all[i] ?? null;
    if (facts !== null) found.push(facts);
    else if ((await retiredBy(cx.db, { namespace: name })) === null)
      throw new UserError(`schema ${name} does not exist`, { hint: 'It was there at preflight: somebody dropped or renamed it. Run the phase again.' });
  }
  const oids = found.map((f) => f.oid);
  const tables = await tablesOf(cx.db, oids);
  const keys = await keysOut(cx.db, oids);
  const schemas = found.map((f): RetiredSchema => {
    const own = tables.filter((t) => t.namespace === f.oid);
    return {
      schema: f.name,
      oid: f.oid,
      home: oldSchemaOf(cx.run, f.name),
      comment: f.comment,
      tables: own.map(({ name, oid }) => ({ name, oid })),
      keys: keys.flatMap(({ oid, name, definition, valid, comment, parent }) => {
        const table = own.find((t) => t.oid === oid);
        return table === undefined ? [] : [{ table: table.name, name, definition, valid, comment, parent }];
      }),
    };
  });
  return { retired: schemas.map((s) => ({ namespace: s.schema })), schemas, done: null };
}

/** One message. Returns ms under lock; null when something changed since the receipt was planned. */
async function rename(cx: StepContext, planned: RetireSchemasReceipt): Promise<number | null> {
  const moves = movesOf(planned);
  const locks = lockList([...moves, ...moves.flatMap((m) => m.keys.map((k) => k.parent))]);
  const until = cx.keepUntil === undefined ? 'until the run is cleaned up' : `until ${cx.keepUntil.toISOString()}`;
  const oids = oidList(planned.schemas.map((s) => s.oid));
  const schemas = planned.schemas.map((s) => ({
    oid: s.oid,
    schema: s.schema,
    home: s.home,
    about: `Lossless: schema ${s.schema}, retired by run ${cx.run}, kept ${until} for a rollback. The phase cleanup archives and drops it. By hand, when no rollback is wanted: DROP SCHEMA ${s.home} CASCADE`,
    tables: s.tables.map((t) => t.oid).sort((a, b) => a - b),
    keys: Object.fromEntries(s.keys.map((k) => [`${String(s.tables.find((t) => t.name === k.table)?.oid ?? 0)} ${k.name}`, k.definition])),
  }));
  const body = render('retire-schemas/move-out', {
    parts: {
      lock: lockTables(locks, 'ACCESS EXCLUSIVE', 'NULL'),
      schemas: json(schemas),
      oids,
      dependents: render('retire-schemas/dependents', { parts: { oids } }),
      keys: json(planned.schemas.flatMap((s) => s.keys.map((k) => ({ schema: s.schema, table: k.table, name: k.name })))),
      fences: join([...moves.flatMap((m) => fenceTriggers(cx.run, m.oid, m)), fromCatalog('NULL')], ';\n'),
    },
  });
  try {
    return await underLock(cx, locks, body, `retire schema ${planned.schemas.map((s) => s.schema).join(', ')}`);
  } catch (error) {
    if (!(error instanceof QueryFailed)) throw error;
    if (error.sqlstate === 'LS002') return null;
    if (error.sqlstate !== 'LS003') throw error;
    const finding = block('has-dependents', `${error.message} came to depend on a schema of this step since preflight`, {
      step: cx.stepId,
      object: error.message,
      hint: 'Drop it or keep the schema.',
    });
    cx.report({ type: 'found', finding });
    throw new UserError(finding.message, { hint: 'Drop it or keep the schema. Nothing was changed.', cause: error });
  }
}

async function canRenameBack(db: ReadContext['db'], receipt: RetireSchemasReceipt): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const now = await namesNow(db, receipt.schemas);
  const there = await factsOf(
    db,
    receipt.schemas.map((s) => s.schema),
  );
  for (const [i, s] of receipt.schemas.entries()) {
    const other = there[i] ?? null;
    if (!now.has(s.oid))
      findings.push(
        block('retired-table-missing', `schema ${s.home} is gone, so ${s.schema} cannot come back`, {
          object: s.schema,
          hint: 'Restore it from the backup of this run.',
        }),
      );
    if (other !== null && other.oid !== s.oid)
      findings.push(
        block('name-taken', `another schema is called ${s.schema} now`, { object: s.schema, hint: 'Rename or drop the new schema, then roll back.' }),
      );
  }
  const parents = await canReturn(db, movesOf(receipt));
  return [...findings, ...parents.filter((f) => f.code === 'parent-gone' || f.code === 'retired-table-missing')];
}

async function settled(cx: StepContext, planned: RetireSchemasReceipt, lockMs: number): Promise<NonNullable<RetireSchemasReceipt['done']>> {
  const rows: Record<string, number> = {};
  const moves = movesOf(planned);
  for (const m of moves) rows[display(m)] = await rowsIn(cx.db, { schema: m.home, name: m.name });
  const scans = Object.fromEntries(
    (
      await useOf(
        cx.db,
        moves.map((m) => m.oid),
      )
    ).map((u) => [String(u.oid), u.scans]),
  );
  return { at: cx.clock.now().toISOString(), lockMs, rows, scans };
}
