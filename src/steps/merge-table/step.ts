import { QueryFailed, UserError } from '../../errors.js';
import { block, note, warn, type Finding } from '../../finding.js';
import { display, trigger, type Relation } from '../../names.js';
import { captureState, captureTriggers, createCapture, dropTriggers, installCapture, removeCapture, type Capture } from '../../online/capture.js';
import { backlog, createDrain, drainUntil, type Drain } from '../../online/drain.js';
import { createGuardAndFence, dropGuardAndFence, fenceTriggers } from '../../online/guard.js';
import { forgetSwap } from '../../online/swap-state.js';
import type { Db, ReadDb } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, literal, render, type Sql } from '../../pg/render.js';
import { relation } from '../../plan/plan.js';
import type { Check } from '../../report/event.js';
import { canReturn, fenced, inUse } from '../../retire/kept.js';
import { at, dropHome, json, lockList, makeHome, plannedMoves, underLock, unvalidated, validate, whereabouts, type Moved } from '../../retire/move.js';
import { foreignKeysFrom, mentionWarnings, oidList, parentFindings, retiredBy, tableFacts } from '../../retire/tables.js';
import type { ReadContext, Step, StepContext } from '../step.js';
import { design, referencesOf, type Merge, type Reference } from './design.js';
import { schema, type MergeTable } from './spec.js';
import {
  cannotReturn,
  carryBack,
  classify,
  createLeave,
  createTables,
  forward,
  heldBack,
  keyless,
  matchSource,
  ours,
  proof,
  reverse,
  seed,
  settle,
  standing,
} from './statements.js';

export type MergeTableReceipt = {
  /** what the journal proves absent (DECISIONS 15) */
  readonly retired: readonly { readonly schema: string; readonly name: string }[];
  readonly merge: Merge | null;
  readonly move: Moved | null;
  readonly quarantine: { readonly schema: string; readonly name: string } | null;
  /** columns and keys of both tables as they were read */
  readonly shape: string;
  readonly state: 'planned' | 'seeded' | 'merged';
  /** pg_trigger's own account of the capture, to see a gap (REBUILD R11): of the source's until it is merged, of the target's afterwards */
  readonly captured: string;
  readonly done: { readonly at: string; readonly lockMs: number; readonly rows: number; readonly conflicts: number } | null;
};

/** In a cut-over at most this many logged keys are carried under the lock (REBUILD D17). */
const mostUnderLock = 2000;
/** Once a drain takes no more than this, the next keys are few enough to be carried under the lock. */
const fewEnough = 1500;
/** Up to this many merged rows leave the target in the message that returns the source; more leave in batches right after it. */
const mostLeaving = 20_000;
/** Tables up to this size are counted whole under the lock; larger ones right after it, when the fence already keeps the source still. */
const mostCounted = 200_000;
const patience = 20;

interface Standing {
  readonly fresh: number;
  readonly identical: number;
  readonly conflicts: number;
  readonly stuck: number;
  readonly conflict_keys: readonly string[];
  readonly stuck_keys: readonly string[];
  readonly keyless: number;
}
interface Proof extends Omit<Standing, 'conflict_keys' | 'stuck_keys'> {
  readonly source: number;
  readonly target: number;
  readonly unclear: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly unaccounted: number;
  readonly surplus: number;
  readonly source_differs: number;
  readonly target_differs: number;
}
interface Classified {
  readonly rows: number;
  readonly fresh: number;
  readonly identical: number;
  readonly conflicts: number;
  readonly long: number;
  readonly keyless: number;
  readonly keys: readonly string[];
  readonly collisions: number;
}

const one = async <Row>(db: ReadDb, text: Sql): Promise<Row> => {
  const [row] = await db.select<Row>(text);
  if (row === undefined) throw new UserError('a count of the merge came back empty', { hint: 'Run the phase again.' });
  return row;
};
const conflictHint = 'Make the two rows equal, delete one, or say conflicts: quarantine; rows in quarantine are kept and archived.';

/**
 * Merges a duplicate table into the one that stays, while the application writes to both, and retires the duplicate. Rows in =
 * merged + identical + conflicts, per key. Locks: SHARE ROW EXCLUSIVE for milliseconds to install the capture, ACCESS EXCLUSIVE on both
 * tables and on those that refer to the source for the cut-over.
 */
export const mergeTable: Step<MergeTable, MergeTableReceipt> = {
  schema,

  describe: (spec, plan) => {
    const [from, into] = [relation(spec.from, plan), relation(spec.into, plan)];
    return {
      title: `merge ${display(from)} into ${display(into)}`,
      touches: [from, into],
      schemas: [],
      anything: false,
      heaviestLock: 'ACCESS EXCLUSIVE',
      deletesData: false,
      undo: 'until-cleanup',
    };
  },

  // Whoever writes to the source meets its absence (42P01) from the merge on: that is the plan's doing, not a fault that a rehearsal must find.
  writable: (spec, plan, table) => display(table) !== display(relation(spec.from, plan)),

  async preflight(cx, spec) {
    const from = relation(spec.from, cx.plan);
    const object = display(from);
    const [there] = await tableFacts(cx.db, [from]);
    const run = there == null ? await retiredBy(cx.db, from) : null;
    if (run !== null) return { findings: [note('already-done', `${object} was merged and retired by run ${run}`, { object })], counts: {}, done: true };
    const { findings: found, merge } = await design(cx.db, spec, cx.plan);
    const findings = [...found];
    if (merge === null) return { findings, counts: {}, done: false };
    findings.push(...parentFindings(await foreignKeysFrom(cx.db, [merge.from.oid]), cx.db.target.user), ...(await mentionWarnings(cx.db, [from.name])));
    let c: Classified;
    try {
      c = await one<Classified>(cx.db, classify(merge));
    } catch (error) {
      if (!(error instanceof QueryFailed) || !error.sqlstate.startsWith('22')) throw error;
      // the server's message would quote the value
      findings.push(
        block('merge-value-invalid', `a value of ${object} cannot be converted by the mapping (SQLSTATE ${error.sqlstate})`, {
          object,
          hint: 'Correct the value, or write an expression that can convert every value.',
        }),
      );
      return { findings, counts: {}, done: false };
    }
    if (c.long > 0)
      findings.push(
        block('merge-value-too-long', `${String(c.long)} rows of ${object} have values that are longer than the column they are mapped to`, {
          object,
          count: c.long,
          hint: 'Widen the column of the target with a sql step, or shorten the value in the expression.',
        }),
      );
    if (c.collisions > 0)
      findings.push(
        block('merge-key-collision', `${String(c.collisions)} rows of ${object} have a key that another of its rows has too after the conversion`, {
          object,
          count: c.collisions,
          hint: 'Make the keys different, or choose another key.',
        }),
      );
    findings.push(
      note(
        'merge-counted',
        `${object}: ${String(c.rows)} rows = ${String(c.fresh)} new + ${String(c.identical)} identical + ${String(c.conflicts)} conflicts`,
        { object, count: c.rows },
      ),
    );
    if (c.conflicts > 0) {
      const message = `${String(c.conflicts)} rows of ${object} have a key that ${display(merge.into)} has with other content, or may not enter it${c.keyless === 0 ? '' : ` (${String(c.keyless)} have no key)`}`;
      findings.push(
        spec.conflicts === 'fail'
          ? block('merge-conflict', message, { object, count: c.conflicts, keys: c.keys, hint: conflictHint })
          : warn('merge-conflict', message, { object, count: c.conflicts, keys: c.keys, hint: 'They will be set aside in quarantine.' }),
      );
    }
    return { findings, counts: spec.conflicts === 'quarantine' ? { [object]: c.conflicts } : {}, done: false };
  },

  async apply(cx, spec, receipt) {
    if (receipt.last !== null && receipt.last.state === 'merged' && receipt.last.done !== null) return;
    const from = relation(spec.from, cx.plan);
    if (receipt.last === null) {
      const [there] = await tableFacts(cx.db, [from]);
      if (there == null && (await retiredBy(cx.db, from)) !== null) {
        await receipt.save({
          retired: [],
          merge: null,
          move: null,
          quarantine: null,
          shape: '',
          state: 'merged',
          captured: '',
          done: { at: cx.clock.now().toISOString(), lockMs: 0, rows: 0, conflicts: 0 },
        });
        return;
      }
      await receipt.save(await planned(cx, spec));
    }
    const last = receipt.last;
    if (last?.merge == null || last.move === null) throw new UserError('the receipt of the merge holds no plan', { hint: 'Undo the step and begin again.' });
    const { merge, move } = last;
    let now = last;
    let lockMs = 0;
    if (!(await isAway(cx.db, move))) {
      await prepare(cx, merge, move);
      const captured = await captureState(cx.db, forward(cx.run, merge));
      if (last.state !== 'seeded' || captured !== last.captured) {
        if (captured === '') await installCapture(cx.db, forward(cx.run, merge), cx.budget.maxLockMs);
        else if (captured !== last.captured && last.captured !== '') throw gap(merge);
        await advance(cx, merge);
        await cx.db.message([seed(cx.run, merge)], { about: 'merge-table/seed' });
        now = { ...last, state: 'seeded', captured: await captureState(cx.db, forward(cx.run, merge)) };
        await receipt.save(now);
      }
      lockMs = await cutOver(cx, now, merge, move);
    }
    for (const r of merge.repointed) if (r.valid) await validate(cx, { ...r.child, oid: r.child_oid }, r);
    await removeForward(cx.db, cx.run, merge);
    const p = await one<Proof>(cx.db, proof(cx.run, merge, at(move)));
    await receipt.save({
      ...now,
      state: 'merged',
      captured: await captureState(cx.db, reverse(cx.run, merge)),
      done: { at: cx.clock.now().toISOString(), lockMs, rows: p.source, conflicts: p.conflicts + p.keyless },
    });
  },

  async verify(cx, _spec, receipt) {
    const { merge, move } = receipt;
    if (merge === null || move === null) return { findings: [], checks: [], tables: [], notCompared: [], rowsCompared: 0 };
    const p = await one<Proof>(cx.db, proof(cx.run, merge, at(move)));
    const place = (await whereabouts(cx.db, [move.oid])).get(move.oid);
    const [name] = await tableFacts(cx.db, [merge.from]);
    const wrong = p.unaccounted + p.surplus + p.source_differs + p.target_differs;
    const unvalidatedKeys = await leftUnvalidated(cx.db, merge);
    const source = display(merge.from);
    const checks: Check[] = [
      {
        name: `${source} merged into ${display(merge.into)}`,
        criterion: 'duplicates',
        expected: `${String(p.source)} rows = new + identical + conflicts`,
        actual: `${String(p.fresh + p.stuck)} new + ${String(p.identical)} identical + ${String(p.conflicts + p.keyless)} conflicts`,
        verdict: p.fresh + p.stuck + p.identical + p.conflicts + p.keyless === p.source && p.quarantined === p.conflicts + p.keyless ? 'pass' : 'fail',
      },
      {
        name: `${source} is retired`,
        criterion: 'duplicates',
        expected: 'out of sight, fenced',
        actual: `${name == null ? 'out of sight' : 'a table of that name is there'}, ${fenced(place) ? 'fenced' : 'not fenced'}`,
        verdict: name == null && fenced(place) ? 'pass' : 'fail',
      },
      {
        name: `every row of ${source} by key`,
        criterion: 'data',
        expected: '0 missing, 0 different',
        actual:
          p.unclear > 0
            ? 'not comparable: the target was emptied or its key changed'
            : `${String(p.unaccounted + p.surplus)} missing, ${String(p.source_differs + p.target_differs)} different`,
        verdict: p.unclear > 0 ? 'aborted' : wrong === 0 ? 'pass' : 'fail',
      },
      ...(merge.repointed.length === 0
        ? []
        : [
            {
              name: `foreign keys that led to ${source}`,
              criterion: 'foreign-keys' as const,
              expected: `${String(merge.repointed.length)} lead to ${display(merge.into)}`,
              actual: `${String(merge.repointed.length - unvalidatedKeys.length)} lead there and are as valid as before`,
              verdict: unvalidatedKeys.length === 0 ? ('pass' as const) : ('fail' as const),
            },
          ]),
    ];
    return {
      findings: [],
      checks,
      tables: [
        {
          step: cx.stepId,
          table: source,
          before: receipt.done?.rows ?? null,
          after: 0,
          quarantined: p.conflicts + p.keyless,
          checksum: null,
          proof: 'per-key',
        },
        {
          step: cx.stepId,
          table: display(merge.into),
          before: receipt.done === null ? null : p.target - p.fresh - p.stuck,
          after: p.target,
          quarantined: 0,
          checksum: null,
          proof: 'per-key',
        },
      ],
      notCompared:
        p.pending === 0 ? [] : [`${String(p.pending)} keys of ${display(merge.into)} that were written since the merge: watch carries and compares them.`],
      rowsCompared: p.source,
    };
  },

  async canUndo(cx, _spec, receipt) {
    const { merge, move } = receipt;
    if (merge === null || move === null || !(await isAway(cx.db, move))) return [];
    const findings: Finding[] = [...(await canReturn(cx.db, [move]))];
    const log = reverse(cx.run, merge).log;
    if ((await backlog(cx.db, log)).unreadable) {
      findings.push(
        block('schema-changed', `the key columns of ${display(merge.into)} were changed, so its rows cannot be followed back`, {
          object: display(merge.into),
          hint: 'Undo that change, or accept the loss with a restore from the backup.',
        }),
      );
      return findings;
    }
    const changed = await targetChanged(cx, receipt, merge);
    if (changed !== null) return [...findings, changed.finding];
    const stuck = await one<{ rows: number; keys: readonly string[] }>(cx.db, cannotReturn(cx.run, merge));
    if (stuck.rows > 0 && !cx.allow.has('reverse-conflict')) findings.push(stuckFinding(merge, stuck));
    const held = await one<{ rows: number; keys: readonly string[] }>(cx.db, heldBack(cx.run, merge));
    if (held.rows > 0)
      findings.push(
        warn('merge-row-stays', `${String(held.rows)} merged rows would stay in ${display(merge.into)}, because other rows refer to them there`, {
          object: display(merge.into),
          count: held.rows,
          keys: held.keys,
          hint: 'They return to the source as well; nothing is lost.',
        }),
      );
    return findings;
  },

  async undo(cx, _spec, receipt) {
    if (receipt?.merge == null || receipt.move === null) return;
    const { merge, move } = receipt;
    const { merged, stage, quarantine, leave, rdrain } = ours(cx.run, merge);
    if (await isAway(cx.db, move)) await cutBack(cx, receipt, merge, move);
    for (const r of merge.repointed) if (r.valid) await validate(cx, { ...r.child, oid: r.child_oid }, r);
    for (const key of move.keys) if (key.valid) await validate(cx, move, key);
    await removeForward(cx.db, cx.run, merge);
    if (await exists(cx.db, merged)) {
      await makeLeave(cx, merge);
      let stays = 0;
      for (;;) {
        const { taken, stayed } = await cx.db.transaction((tx) =>
          tx.one<{ taken: number; stayed: number }>('merge-table/leave', { names: { function: leave }, values: [5000] }),
        );
        stays += stayed;
        if (taken === 0) break;
      }
      const stuck = await one<Standing>(cx.db, standing(cx.run, merge, merge.from));
      if (stays + stuck.stuck > 0) {
        cx.report({
          type: 'found',
          finding: warn(
            'merge-row-stays',
            `${String(stays + stuck.stuck)} merged rows stay in ${display(merge.into)}, because the application changed them or refers to them`,
            {
              step: cx.stepId,
              object: display(merge.into),
              count: stays + stuck.stuck,
              keys: stuck.stuck_keys,
              hint: 'They are in the source as well; decide about them by hand.',
            },
          ),
        });
      }
    }
    await removeCapture(cx.db, reverse(cx.run, merge), (await tableFacts(cx.db, [merge.into]))[0] != null);
    await cx.db.change('online/drop-drain', { names: { function: rdrain } });
    await cx.db.change('merge-table/drop-leave', { names: { function: leave } });
    for (const table of [merged, stage, quarantine]) await cx.db.change('merge-table/drop-table', { names: { table } });
    await dropGuardAndFence(cx.db, cx.run, merge.from.oid);
    // createCapture made the table of swaps; a merge writes no row into it
    await forgetSwap(cx.db, cx.run, cx.stepId);
    await dropHome(cx.db, move.home);
  },

  async watch(cx, _spec, receipt) {
    const { merge, move } = receipt;
    if (merge === null || move === null) return { findings: [], drained: 0, backlog: 0, blocking: [], tables: [] };
    const findings: Finding[] = [];
    const log = reverse(cx.run, merge).log;
    // what the columns' names no longer allow to ask is not asked; canUndo says why
    if ((await targetChanged(cx, receipt, merge))?.missing === true)
      return {
        findings,
        drained: 0,
        backlog: (await backlog(cx.db, log)).waiting,
        blocking: (await mergeTable.canUndo(cx, _spec, receipt)).filter((f) => f.severity === 'block'),
        tables: [],
      };
    const drained = await drainUntil(cx.db, reverseDrain(cx, merge, move));
    const place = (await whereabouts(cx.db, [move.oid])).get(move.oid);
    const object = display(at(move));
    if (place?.schema !== move.home)
      findings.push(
        block('retired-table-missing', `${object} is gone`, { object, hint: 'Somebody dropped or moved it. The backup of this run still has it.' }),
      );
    else if (!fenced(place))
      findings.push(
        block('fence-missing', `${object} lost its fence: writes to it would go unnoticed`, {
          object,
          hint: 'Somebody dropped or disabled the triggers; see who writes to it.',
        }),
      );
    const p = place?.schema === move.home ? await one<Proof>(cx.db, proof(cx.run, merge, at(move))) : null;
    const wrong = p === null ? 0 : p.unaccounted + p.surplus + p.target_differs;
    if (p !== null && wrong > 0)
      findings.push(
        block('retired-rows-changed', `${String(wrong)} rows of ${object} are not what the merge left or carried back`, {
          object,
          count: wrong,
          hint: 'Find out who wrote to the retired table or disabled the triggers of the target.',
        }),
      );
    const blocking = (await mergeTable.canUndo(cx, _spec, receipt)).filter((f) => f.severity === 'block');
    return {
      findings,
      drained,
      backlog: (await backlog(cx.db, log)).waiting,
      blocking,
      tables:
        p === null
          ? []
          : [
              {
                step: cx.stepId,
                table: display(merge.from),
                before: receipt.done?.rows ?? null,
                after: p.source,
                quarantined: p.conflicts + p.keyless,
                checksum: null,
                proof: 'per-key',
              },
            ],
    };
  },

  async canCleanup(cx, _spec, receipt) {
    if (receipt.merge === null || receipt.move === null) return [];
    // scans are not judged: our own reverse drain reads the retired table by its key
    return inUse({ ...cx, allow: new Set([...cx.allow, 'retired-in-use']) }, [receipt.move], null);
  },

  retired: (_spec, receipt) =>
    receipt.merge === null || receipt.move === null
      ? []
      : [at(receipt.move), ...(receipt.quarantine !== null && (receipt.done?.conflicts ?? 0) > 0 ? [receipt.quarantine] : [])],

  async cleanup(cx, _spec, receipt) {
    const { merge, move } = receipt;
    if (merge === null || move === null) return;
    const { merged, stage, quarantine, leave, rdrain } = ours(cx.run, merge);
    await removeCapture(cx.db, reverse(cx.run, merge), (await tableFacts(cx.db, [merge.into]))[0] != null);
    await removeForward(cx.db, cx.run, merge);
    await cx.db.change('online/drop-drain', { names: { function: rdrain } });
    await cx.db.change('merge-table/drop-leave', { names: { function: leave } });
    if (await isAway(cx.db, move)) await cx.db.change('retire/drop-tables', { parts: { tables: ident(at(move)) } });
    for (const table of [merged, stage, quarantine]) await cx.db.change('merge-table/drop-table', { names: { table } });
    await dropGuardAndFence(cx.db, cx.run, merge.from.oid);
    // createCapture made the table of swaps; a merge writes no row into it
    await forgetSwap(cx.db, cx.run, cx.stepId);
    await dropHome(cx.db, move.home);
  },
};

/** Whether the source is out of sight already: then the cut-over happened, whatever the receipt says. */
const isAway = async (db: ReadDb, move: Moved): Promise<boolean> => (await whereabouts(db, [move.oid])).get(move.oid)?.schema === move.home;
const exists = async (db: ReadDb, table: Relation): Promise<boolean> =>
  (await db.one<{ found: boolean }>('merge-table/exists', { literals: { table: ident(table) } })).found;

const gap = (merge: Merge): UserError =>
  new UserError(`the capture triggers of ${display(merge.from)} were switched off for a while, so changes may be missing`, {
    hint: 'Roll the run back and begin again; do not use DISABLE TRIGGER while a run is open.',
  });

const stuckFinding = (merge: Merge, stuck: { readonly rows: number; readonly keys: readonly string[] }): Finding =>
  block(
    'merge-row-stuck',
    `${String(stuck.rows)} merged rows were changed in columns of ${display(merge.into)} for which ${display(merge.from)} has no place`,
    {
      object: display(merge.into),
      count: stuck.rows,
      keys: stuck.keys,
      hint: 'Give `back:` expressions, or accept with `allow: reverse-conflict`: such rows then stay in the target, and the source gets back what it had.',
    },
  );

/** The merge as plan and catalogs say it now. Errors: UserError with every fault that preflight would name. */
async function planned(cx: StepContext, spec: MergeTable): Promise<MergeTableReceipt> {
  const { findings, merge } = await design(cx.db, spec, cx.plan);
  if (merge === null)
    throw new UserError(findings.map((f) => f.message).join('; '), { hint: 'Something changed since preflight: run the phase again. Nothing was changed.' });
  const [move] = await plannedMoves(cx.db, cx.run, [merge.from]);
  return {
    retired: [{ schema: merge.from.schema, name: merge.from.name }],
    merge,
    move: move ?? null,
    quarantine: ours(cx.run, merge).quarantine,
    shape: (await cx.db.one<{ shape: string }>('merge-table/shape', { parts: { oids: oidList([merge.from.oid, merge.into.oid]) } })).shape,
    state: 'planned',
    captured: '',
    done: null,
  };
}

/** Everything that the merge needs in our own schemas. Repeatable; locks nothing of the application's. */
async function prepare(cx: StepContext, merge: Merge, move: Moved): Promise<void> {
  const { drain, rdrain } = ours(cx.run, merge);
  await makeHome(cx, move.home);
  await createCapture(cx.db, forward(cx.run, merge));
  await createCapture(cx.db, reverse(cx.run, merge));
  await cx.db.message([createTables(cx.run, merge)], { about: 'merge-table/create-tables' });
  await createDrain(cx.db, forward(cx.run, merge), drain, glue`${settle(cx.run, merge)};`);
  await createDrain(cx.db, reverse(cx.run, merge), rdrain, glue`${carryBack(cx.run, merge, at(move))};`);
  await createGuardAndFence(cx.db, cx.run, merge.from.oid);
}

/** The target's own sequences pass the keys that are coming, so that no INSERT of the application meets one of them. */
async function advance(cx: StepContext, merge: Merge): Promise<void> {
  for (const m of merge.mapped) {
    if (m.sequence === null || m.plain === null) continue;
    await cx.db.change('merge-table/advance', {
      names: { column: m.plain, from: merge.from },
      literals: { sequence: m.sequence },
      parts: { sequence: fromCatalog(m.sequence) },
    });
  }
}

const forwardDrain = (cx: StepContext, merge: Merge): Drain => ({
  log: forward(cx.run, merge).log,
  fn: ours(cx.run, merge).drain,
  locks: [merge.from, merge.into],
});
const reverseDrain = (cx: StepContext, merge: Merge, move: Moved): Drain => ({
  log: reverse(cx.run, merge).log,
  fn: ours(cx.run, merge).rdrain,
  locks: [merge.into, at(move)],
});

const refused = (cx: StepContext, finding: Finding): UserError => {
  cx.report({ type: 'found', finding: { ...finding, step: cx.stepId } });
  return new UserError(finding.message + (finding.keys === undefined ? '' : `: ${finding.keys.join(', ')}`), { hint: finding.hint ?? '' });
};

const conflictFinding = (merge: Merge, s: Standing): Finding =>
  block(
    'merge-conflict',
    `${String(s.conflicts + s.keyless)} rows of ${display(merge.from)} have a key that ${display(merge.into)} has with other content, or may not enter it${s.keyless === 0 ? '' : ` (${String(s.keyless)} have no key)`}`,
    {
      object: display(merge.from),
      count: s.conflicts + s.keyless,
      keys: s.conflict_keys,
      hint: conflictHint,
    },
  );

/** Drains until little is left, then one message. Returns the milliseconds under lock. */
async function cutOver(cx: StepContext, receipt: MergeTableReceipt, merge: Merge, move: Moved): Promise<number> {
  const { merged, quarantine, drain } = ours(cx.run, merge);
  const log = forward(cx.run, merge).log;
  const allowed = merge.conflicts === 'fail' ? 0 : cx.approved === null ? Number.MAX_SAFE_INTEGER : (cx.approved[display(merge.from)] ?? 0);
  const locks = lockList([merge.from, merge.into, ...move.keys.map((k) => k.parent), ...merge.repointed.map((r) => r.child)]);
  for (let attempt = 1; ; attempt += 1) {
    await drainUntil(cx.db, forwardDrain(cx, merge), {
      until: fewEnough,
      carried: (rows) => cx.report({ type: 'progress', step: cx.stepId, what: `merge ${display(merge.from)}`, done: rows, of: null, unit: 'keys' }),
    });
    if ((await backlog(cx.db, log)).unreadable) throw gap(merge);
    const s = await one<Standing>(cx.db, standing(cx.run, merge, merge.from));
    if (s.conflicts + s.keyless > allowed) throw refused(cx, conflictFinding(merge, s));
    const body = render('merge-table/swap', {
      names: { from: merge.from, merged, quarantine, log, drain, home: move.home },
      literals: { from: ident(merge.from), into: ident(merge.into), shape: receipt.shape, captured: receipt.captured, home: move.home },
      parts: {
        locks,
        from_oid: literal(String(merge.from.oid)),
        into_oid: literal(String(merge.into.oid)),
        shape: render('merge-table/shape', { parts: { oids: oidList([merge.from.oid, merge.into.oid]) } }),
        capture_state: captureStateOf(forward(cx.run, merge), cx),
        dependents: render('retire/dependents', { parts: { oids: oidList([merge.from.oid]) } }),
        most: fromCatalog(String(mostUnderLock)),
        keyless: keyless(merge, 'f'),
        allowed: fromCatalog(String(allowed)),
        count: fromCatalog(String(s.fresh + s.identical + s.conflicts + s.keyless <= mostCounted)),
        match_fm: matchSource(merge),
        drops: json([
          ...merge.repointed.map((r) => ({ schema: r.child.schema, table: r.child.name, name: r.name })),
          ...move.keys.map((k) => ({ schema: merge.from.schema, table: merge.from.name, name: k.name })),
        ]),
        adds: json(
          merge.repointed.map((r) => ({ schema: r.child.schema, table: r.child.name, name: r.name, definition: unvalidated(r.becomes), comment: r.comment })),
        ),
        statistics: json(move.statistics),
        uncapture: join(dropTriggers(cx.run, merge.from, ['capture', 'capture_t']), ';\n'),
        triggers: join([...fenceTriggers(cx.run, merge.from.oid, at(move)), ...captureTriggers(reverse(cx.run, merge))], ';\n'),
      },
    });
    try {
      return await underLock(cx, locks, body, `merge ${display(merge.from)}`);
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
      if (error.sqlstate === 'LS008' && attempt < patience) continue;
      throw await explainedSwap(cx, merge, error);
    }
  }
}

const captureStateOf = (capture: Capture, cx: ReadContext): Sql =>
  render('online/capture-state', {
    literals: { table: ident(capture.table), row: trigger('capture', cx.run), statement: trigger('capture_t', cx.run) },
  });

async function explainedSwap(cx: StepContext, merge: Merge, error: QueryFailed): Promise<unknown> {
  switch (error.sqlstate) {
    case 'LS002':
      return new UserError(`columns or foreign keys of ${display(merge.from)} or ${display(merge.into)} changed while they were merged`, {
        hint: 'Roll the run back and begin again.',
        cause: error,
      });
    case 'LS003':
      return refused(
        cx,
        block('has-dependents', `${error.message} came to depend on ${display(merge.from)} since preflight`, {
          object: error.message,
          hint: 'Drop it, then run again.',
        }),
      );
    case 'LS004':
      return refused(cx, conflictFinding(merge, await one<Standing>(cx.db, standing(cx.run, merge, merge.from))));
    case 'LS006':
      return new UserError(`the rows of ${display(merge.from)} do not add up: ${error.message}`, {
        hint: 'Nothing was cut over. Roll the run back and report this.',
        cause: error,
      });
    case 'LS007':
      return gap(merge);
    case 'LS008':
      return new UserError(`${display(merge.from)} is written faster than its changes can be carried`, {
        hint: 'Run again when the application is quieter, or under maintenance.',
        cause: error,
      });
    default:
      return error;
  }
}

/** The function that takes merged rows out again; as the keys lead now, without those that return to the source. */
async function makeLeave(cx: StepContext, merge: Merge): Promise<void> {
  const returning = (r: Reference): boolean => merge.repointed.some((own) => own.child_oid === r.child_oid && own.name === r.name);
  const referrers = (await referencesOf(cx.db, merge.into.oid)).filter((r) => r.parent_oid === merge.into.oid && !returning(r));
  await cx.db.message([createLeave(cx.run, merge, referrers)], { about: 'merge-table/create-leave' });
}

const changedSql = (cx: ReadContext, receipt: MergeTableReceipt, merge: Merge): Sql =>
  render('merge-table/target-changed', {
    literals: { captured: receipt.state === 'merged' ? receipt.captured : '' },
    parts: {
      capture_state: captureStateOf(reverse(cx.run, merge), cx),
      oid: literal(String(merge.into.oid)),
      names: join(merge.all.map((c) => literal(c.name))),
    },
  });

/** The application's own DDL on the target (DECISIONS 33): a row that leaves would take with it what a new column holds. null: as it was. `missing`: not even the questions can be asked. */
async function targetChanged(
  cx: ReadContext,
  receipt: MergeTableReceipt,
  merge: Merge,
): Promise<{ readonly finding: Finding; readonly missing: boolean } | null> {
  const c = await one<{ columns: boolean; missing: boolean; capture: boolean }>(cx.db, changedSql(cx, receipt, merge));
  if (!c.columns && !c.capture) return null;
  const object = display(merge.into);
  return {
    missing: c.missing,
    finding: block(
      'schema-changed',
      c.columns
        ? `the columns of ${object} were changed since the merge; going back would lose that`
        : `the capture triggers of ${object} were switched off for a while, so writes may be missing`,
      { object, step: cx.stepId, hint: 'Undo that change first, or keep the merged table and let the retention end.' },
    ),
  };
}

/** The way back: the application's last changes go to the source, which returns under its name; references lead to it again. */
async function cutBack(cx: StepContext, receipt: MergeTableReceipt, merge: Merge, move: Moved): Promise<void> {
  const changed = await targetChanged(cx, receipt, merge);
  if (changed !== null) throw refused(cx, changed.finding);
  const { merged, rdrain, leave } = ours(cx.run, merge);
  const log = reverse(cx.run, merge).log;
  const facts = await tableFacts(
    cx.db,
    merge.repointed.map((r) => r.child),
  );
  const repointed = merge.repointed.filter((r, i) => facts[i]?.oid === r.child_oid);
  const locks = lockList([at(move), merge.into, ...move.keys.map((k) => k.parent), ...repointed.map((r) => r.child)]);
  const accepted = cx.allow.has('reverse-conflict');
  await makeLeave(cx, merge);
  for (let attempt = 1; ; attempt += 1) {
    await drainUntil(cx.db, reverseDrain(cx, merge, move), { until: fewEnough });
    const stuck = await one<{ rows: number; keys: readonly string[] }>(cx.db, cannotReturn(cx.run, merge));
    if (stuck.rows > 0 && !accepted) throw refused(cx, stuckFinding(merge, stuck));
    const { fresh } = await one<Standing>(cx.db, standing(cx.run, merge, at(move)));
    const body = render('merge-table/swap-back', {
      names: { merged, log, drain: rdrain, retired: at(move), schema: move.schema },
      literals: { home: move.home },
      parts: {
        locks,
        most: fromCatalog(String(mostUnderLock)),
        accepted: fromCatalog(String(accepted)),
        changed: changedSql(cx, receipt, merge),
        drops: json(repointed.map((r) => ({ schema: r.child.schema, table: r.child.name, name: r.name }))),
        untrigger: join([...dropTriggers(cx.run, merge.into, ['capture', 'capture_t']), ...dropTriggers(cx.run, at(move), ['fence_s', 'fence_r'])], ';\n'),
        statistics: json(move.statistics),
        leave: fresh > mostLeaving ? fromCatalog('NULL') : glue`PERFORM ${ident(leave)}(${fromCatalog(String(mostLeaving * 2))})`,
        adds: json([...move.keys.map((k) => restored(merge.from, k)), ...repointed.map((r) => restored(r.child, r))]),
      },
    });
    try {
      await underLock(cx, locks, body, `bring back ${display(merge.from)}`);
      return;
    } catch (error) {
      if (!(error instanceof QueryFailed) || (error.sqlstate !== 'LS008' && error.sqlstate !== 'LS004') || attempt >= patience) throw error;
    }
  }
}

const restored = (table: Relation, k: { readonly name: string; readonly definition: string; readonly comment: string | null }): unknown => ({
  schema: table.schema,
  table: table.name,
  name: k.name,
  definition: unvalidated(k.definition),
  comment: k.comment,
});

/** Capture, drain and batch table of the way forward: not needed after the cut-over, nor after an undo. */
async function removeForward(db: Db, run: string, merge: Merge): Promise<void> {
  const { stage, drain } = ours(run, merge);
  const [there] = await tableFacts(db, [merge.from]);
  await removeCapture(db, forward(run, merge), there?.oid === merge.from.oid);
  await db.change('online/drop-drain', { names: { function: drain } });
  await db.change('merge-table/drop-table', { names: { table: stage } });
}

async function leftUnvalidated(db: ReadContext['db'], merge: Merge): Promise<readonly Reference[]> {
  const now = await whereabouts(
    db,
    merge.repointed.map((r) => r.child_oid),
  );
  return merge.repointed.filter((r) => r.valid && now.get(r.child_oid)?.keys.find((k) => k.name === r.name)?.valid !== true);
}
