import { z } from 'zod';
import { UserError } from '../errors.js';
import { block, note, type Finding } from '../finding.js';
import { display } from '../names.js';
import { at, dropHome, makeHome, moveBack, moveOut, plannedMoves, whereabouts, type Moved } from '../retire/move.js';
import {
  cannotMove,
  dependentFindings,
  dependentsOf,
  foreignKeysFrom,
  mentionWarnings,
  parentFindings,
  relationsOf,
  retiredBy,
  rowsIn,
  tableFacts,
  useOf,
  writtenTable,
} from '../retire/tables.js';
import { bookUse, canReturn, dropMoved, fenced, inUse, present, prepareFences, releaseFences } from '../retire/kept.js';
import type { Check } from '../report/event.js';
import type { Step } from './step.js';

export const schema = z.strictObject({
  tables: z
    .array(writtenTable)
    .min(1, 'found an empty list, expected the tables to retire')
    .describe('tables to move out of sight; archived and dropped by cleanup'),
  'only-if': z
    .literal('empty', { error: 'expected `empty`, or no `only-if` at all' })
    .optional()
    .describe('empty: refuse a table that has rows, and prove it again under the lock'),
});
export type RetireTables = z.infer<typeof schema>;

export type RetireTablesReceipt = {
  /** what the journal proves absent (DECISIONS 15) */
  readonly retired: readonly { readonly schema: string; readonly name: string }[];
  readonly moves: readonly Moved[];
  /** set when the tables are out of sight */
  readonly done: {
    readonly at: string;
    readonly lockMs: number;
    readonly rows: Readonly<Record<string, number>>;
    readonly scans: Readonly<Record<string, number>>;
  } | null;
};

/**
 * Moves tables, with everything that is theirs, to `lossless_old_<run>`. ACCESS EXCLUSIVE on them and on the parents of their
 * foreign keys for some milliseconds. Foreign keys from them are dropped and kept in the receipt: the application's DELETE on a
 * parent must not reach the retired rows. A fence answers every later write with 40001.
 */
export const retireTables: Step<RetireTables, RetireTablesReceipt> = {
  schema,

  describe: (spec, plan) => {
    const tables = relationsOf(spec.tables, plan);
    return {
      title: `retire ${String(tables.length)} ${tables.length === 1 ? 'table' : 'tables'}${spec['only-if'] === 'empty' ? ' if empty' : ''}`,
      touches: tables,
      schemas: [],
      anything: false,
      heaviestLock: 'ACCESS EXCLUSIVE',
      deletesData: false,
      undo: 'until-cleanup',
    };
  },

  // nobody can write to a table that is out of sight: a rehearsal's writers would only count 42P01
  writable: () => false,

  async preflight(cx, spec) {
    const tables = relationsOf(spec.tables, cx.plan);
    const all = await tableFacts(cx.db, tables);
    const findings: Finding[] = [];
    let proven = 0;
    for (const [i, table] of tables.entries()) {
      const object = display(table);
      const facts = all[i] ?? null;
      if (facts === null) {
        const run = await retiredBy(cx.db, table);
        if (run === null)
          findings.push(
            block('table-not-found', `${object} does not exist, and nothing proves that it was retired`, {
              object,
              hint: 'Correct the name (case matters), or take it out of the plan.',
            }),
          );
        else findings.push(note('already-done', `${object} was retired by run ${run}`, { object }));
        proven += run === null ? 0 : 1;
        continue;
      }
      const stuck = cannotMove(facts, cx.db.target.user);
      findings.push(...stuck);
      if (stuck.length > 0) continue;
      const rows = await rowsIn(cx.db, table);
      if (rows > 0 && spec['only-if'] !== 'empty')
        findings.push(note('rows-retired', `${object} is retired with its ${String(rows)} rows`, { object, count: rows }));
      if (rows > 0 && spec['only-if'] === 'empty') {
        findings.push(
          block('table-not-empty', `${object} has ${String(rows)} rows, expected none`, {
            object,
            count: rows,
            hint: 'Use inspect-tables to decide; without `only-if: empty` the rows are retired with the table.',
          }),
        );
      }
    }
    const found = present(all);
    const oids = found.map((f) => f.oid);
    const nameOf = (oid: number): string => display(found.find((f) => f.oid === oid) ?? { schema: '', name: '' });
    findings.push(...dependentFindings(await dependentsOf(cx.db, oids), nameOf));
    findings.push(...parentFindings(await foreignKeysFrom(cx.db, oids), cx.db.target.user));
    findings.push(
      ...(await mentionWarnings(
        cx.db,
        found.map((f) => f.name),
      )),
    );
    return { findings, counts: {}, done: proven === tables.length };
  },

  async apply(cx, spec, receipt) {
    const last = receipt.last;
    if (last !== null && (last.done !== null || (await everyMoved(cx.db, last.moves)))) {
      if (last.done === null) await receipt.save({ ...last, done: await settled(cx.db, cx.clock.now(), last.moves, 0) });
      return;
    }
    const tables = relationsOf(spec.tables, cx.plan);
    const all = await tableFacts(cx.db, tables);
    for (const [i, table] of tables.entries()) {
      if ((all[i] ?? null) === null && (await retiredBy(cx.db, table)) === null)
        throw new UserError(`${display(table)} does not exist`, { hint: 'It was there at preflight: somebody dropped or renamed it. Run the phase again.' });
    }
    const wanted = tables.filter((_t, i) => (all[i] ?? null) !== null);
    if (wanted.length === 0) {
      await receipt.save({ retired: [], moves: [], done: { at: cx.clock.now().toISOString(), lockMs: 0, rows: {}, scans: {} } });
      return;
    }
    for (let attempt = 1; ; attempt += 1) {
      const moves = await plannedMoves(cx.db, cx.run, wanted);
      const planned = { retired: wanted.map(({ schema: s, name }) => ({ schema: s, name })), moves, done: null };
      await receipt.save(planned);
      for (const home of new Set(moves.map((m) => m.home))) await makeHome(cx, home);
      await prepareFences(cx, moves);
      const lockMs = await moveOut(cx, moves, spec['only-if'] === 'empty');
      if (lockMs !== null) {
        await receipt.save({ ...planned, done: await settled(cx.db, cx.clock.now(), moves, lockMs) });
        return;
      }
      if (attempt === 3)
        throw new UserError(`${wanted.map(display).join(', ')}: foreign keys or names kept changing while the tables were to be retired`, {
          hint: 'Stop other schema changes and run the phase again; nothing was changed.',
        });
    }
  },

  async verify(cx, _spec, receipt) {
    const findings: Finding[] = [];
    const checks: Check[] = [];
    const tables = [];
    const where = await whereabouts(
      cx.db,
      receipt.moves.map((m) => m.oid),
    );
    const back = await tableFacts(cx.db, receipt.moves);
    let rowsCompared = 0;
    for (const [i, m] of receipt.moves.entries()) {
      const away = where.get(m.oid)?.schema === m.home;
      const rows = away ? await rowsIn(cx.db, at(m)) : null;
      const before = receipt.done?.rows[display(m)] ?? null;
      rowsCompared += rows ?? 0;
      checks.push({
        name: `${display(m)} is retired`,
        criterion: 'other',
        expected: `out of sight, fenced, ${String(before ?? 0)} rows kept`,
        actual: `${(back[i] ?? null) === null ? 'out of sight' : 'a table of that name is there'}, ${fenced(where.get(m.oid)) ? 'fenced' : 'not fenced'}, ${rows === null ? 'the retired table is missing' : `${String(rows)} rows kept`}`,
        verdict: (back[i] ?? null) === null && fenced(where.get(m.oid)) && rows !== null && rows === before ? 'pass' : 'fail',
      });
      tables.push({ step: cx.stepId, table: display(m), before, after: rows, quarantined: 0, checksum: null, proof: 'count' as const });
    }
    return { findings, checks, tables, notCompared: [], rowsCompared };
  },

  async canUndo(cx, _spec, receipt) {
    return canReturn(cx.db, receipt.moves);
  },

  async undo(cx, _spec, receipt) {
    if (receipt === null) return;
    await moveBack(cx, receipt.moves);
    for (const home of new Set(receipt.moves.map((m) => m.home))) await dropHome(cx.db, home);
    await releaseFences(cx, receipt.moves);
  },

  async watch(cx, _spec, receipt) {
    const findings: Finding[] = [];
    const tables = [];
    const where = await whereabouts(
      cx.db,
      receipt.moves.map((m) => m.oid),
    );
    for (const m of receipt.moves) {
      const now = where.get(m.oid);
      const object = display(at(m));
      if (now?.schema !== m.home) {
        findings.push(
          block('retired-table-missing', `${object} is gone`, { object, hint: 'Somebody dropped or moved it. The backup of this run still has it.' }),
        );
        continue;
      }
      if (!fenced(now))
        findings.push(
          block('fence-missing', `${object} lost its fence: writes to it would go unnoticed`, {
            object,
            hint: 'Somebody dropped or disabled the triggers; see who writes to it.',
          }),
        );
      const rows = await rowsIn(cx.db, at(m));
      const before = receipt.done?.rows[display(m)] ?? rows;
      if (rows !== before)
        findings.push(
          block('retired-rows-changed', `${object} has ${String(rows)} rows, expected ${String(before)}`, {
            object,
            count: rows,
            hint: 'A retired table must not change: find out who wrote to it.',
          }),
        );
      tables.push({ step: cx.stepId, table: display(m), before, after: rows, quarantined: 0, checksum: null, proof: 'count' as const });
    }
    await bookUse(cx, receipt.moves);
    return { findings, drained: 0, backlog: 0, blocking: await canReturn(cx.db, receipt.moves), tables };
  },

  async canCleanup(cx, _spec, receipt) {
    return inUse(cx, receipt.moves, receipt.done);
  },

  retired: (_spec, receipt) => receipt.moves.map(at),

  async cleanup(cx, _spec, receipt) {
    await dropMoved(cx, receipt.moves);
    for (const home of new Set(receipt.moves.map((m) => m.home))) await dropHome(cx.db, home);
    await releaseFences(cx, receipt.moves);
  },
};

async function everyMoved(db: Parameters<typeof whereabouts>[0], moves: readonly Moved[]): Promise<boolean> {
  const where = await whereabouts(
    db,
    moves.map((m) => m.oid),
  );
  return moves.every((m) => where.get(m.oid)?.schema === m.home);
}

/** What the retired tables held and how often they had been read when they went out of sight; both must stay so. */
async function settled(
  db: Parameters<typeof whereabouts>[0],
  now: Date,
  moves: readonly Moved[],
  lockMs: number,
): Promise<NonNullable<RetireTablesReceipt['done']>> {
  const rows: Record<string, number> = {};
  for (const m of moves) rows[display(m)] = await rowsIn(db, at(m));
  const scans = Object.fromEntries(
    (
      await useOf(
        db,
        moves.map((m) => m.oid),
      )
    ).map((u) => [String(u.oid), u.scans]),
  );
  return { at: now.toISOString(), lockMs, rows, scans };
}
