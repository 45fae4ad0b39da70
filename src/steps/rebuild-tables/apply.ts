import { Bug, QueryFailed, UserError } from '../../errors.js';
import { blocking, note } from '../../finding.js';
import { alterOnline, createCapture, dropTriggers, installCapture } from '../../online/capture.js';
import { drainUntil } from '../../online/drain.js';
import { createGuardAndFence, openTransactions, restGuard } from '../../online/guard.js';
import { forgetSwap, giveUp, readSwap } from '../../online/swap-state.js';
import { display, inControl } from '../../names.js';
import { glue, ident, join } from '../../pg/render.js';
import type { ReceiptSlot, StepContext } from '../step.js';
import { createForwardDrain, createJudges, createReverseDrain } from './carry.js';
import { buildIndexes, copyAll, dedupe, inParallel } from './copy.js';
import { forwardCapture, forwardDrain, keyColumns, quarantineOf, reverseCapture, type Group, type Rebuilt, type Source } from './design.js';
import { foundDone } from './done.js';
import { anyOrphan, countOrphans, type OrphanCount } from './orphans.js';
import { refusals } from './preflight.js';
import { compare, faultsOf } from './proof.js';
import { readGroup } from './read.js';
import type { RebuildReceipt } from './receipt.js';
import { differs, readShape } from './shape.js';
import { removeFunctions, removeLogs, removeSchemas, removeTables, removeTriggers } from './removal.js';
import { approvedFor, quarantined, refuseSurplus, settle } from './settle.js';
import { createSchemas, createShadow, finishShadow } from './shadow.js';
import { writtenNames, type RebuildSpec } from './spec.js';
import { fingerprint, swap } from './swap.js';

const empty: Group = { tables: [], keys: [] };

/** The whole way: capture, copy, index, drain, prove, swap, settle. After an interruption before the swap it starts over; after the swap it goes on. */
export async function apply(cx: StepContext, spec: RebuildSpec, slot: ReceiptSlot<RebuildReceipt>): Promise<void> {
  const last = slot.last?.state === 'undone' || slot.last?.state === 'aborted' ? null : slot.last;
  if (last !== null && ['nothing', 'validated'].includes(last.state)) return;
  if (last !== null) {
    const row = await decide(cx);
    if (row === 'swapped') {
      await afterSwap(cx, last, slot);
      return;
    }
    await abort(cx, last.group);
  }
  const reading = await readGroup(cx.db, cx.run, cx.plan, spec);
  const blank = { group: empty, before: [], prints: [], straddling: [], swappedAt: null };
  if (foundDone(reading)) {
    await slot.save({ ...blank, state: 'nothing' });
    cx.report({ type: 'found', finding: note('already-done', `${writtenNames(spec).join(', ')}: everything the plan asks for is there`, { step: cx.stepId }) });
    return;
  }
  const stop = blocking(await refusals(cx, reading))[0];
  if (stop !== undefined) throw new UserError(stop.message, stop.hint === undefined ? {} : { hint: stop.hint });
  const { group, sources } = reading;
  await removeFormerAttempt(cx, group);
  const ready = await build(cx, group, sources, slot);
  const row = await swap(cx, group, 'forward', ready.prints, sources);
  await afterSwap(cx, { ...ready, state: 'swapped', swappedAt: row.at }, slot);
}

/**
 * A step that was undone is begun anew under the same run, so its names are taken: by failed tables, whose every row is in
 * the tables that came back (proved under the lock of the swap back), and by what hangs on them.
 */
async function removeFormerAttempt(cx: StepContext, group: Group): Promise<void> {
  const forward = await readSwap(cx.db, cx.run, cx.stepId, 'forward');
  if (forward === null) return;
  if (forward.state === 'swapped' && (await readSwap(cx.db, cx.run, cx.stepId, 'back'))?.state !== 'swapped')
    throw new Bug(`run ${cx.run} replaced ${group.tables.map((t) => display(t.table)).join(', ')} already, and its receipt is gone`, {
      hint: 'Roll the run back; do not drop anything by hand.',
    });
  for (const t of group.tables)
    if ((await cx.db.rows('rebuild-tables/exists', { values: [[ident(t.shadow)]] })).length > 0)
      await alterOnline(cx.db, t.shadow, dropTriggers(cx.run, t.shadow), 'rebuild-tables/remove-triggers');
  await abort(cx, group);
}

/** Whether the forward swap happened. If not, it cannot happen any more: a message still under way on the server would fail. */
export async function decide(cx: StepContext): Promise<'swapped' | 'not swapped'> {
  await cx.db.change('online/control-schema');
  return (await giveUp(cx.db, cx.run, cx.stepId, 'forward'))?.state === 'swapped' ? 'swapped' : 'not swapped';
}

/** Everything up to the swap; writers are only ever stopped by the installation of the triggers. */
async function build(cx: StepContext, group: Group, sources: readonly Source[], slot: ReceiptSlot<RebuildReceipt>): Promise<RebuildReceipt> {
  const { db, run } = cx;
  const before: number[] = [];
  for (const t of group.tables) before.push((await db.one<{ rows: number }>('rebuild-tables/count', { names: { table: t.table } })).rows);
  let receipt: RebuildReceipt = { state: 'capture', group, before, prints: [], straddling: [], swappedAt: null };
  const reach = async (state: RebuildReceipt['state'], more: Partial<RebuildReceipt> = {}): Promise<void> => {
    receipt = { ...receipt, ...more, state };
    await slot.save(receipt);
  };
  await reach('capture');
  await db.change('online/control-schema');
  await createSchemas(db, run, group);
  await each(group, sources, async (t, source) => {
    await createShadow(db, t, source);
    await createJudges(db, run, t);
    await createCapture(db, forwardCapture(run, t, source.shape));
    await createForwardDrain(db, run, t, source.shape);
    await createCapture(db, reverseCapture(run, t));
    await createGuardAndFence(db, run, t.oid);
  });
  const prints: string[] = [];
  await each(group, sources, async (t, source) => {
    await installCapture(db, forwardCapture(run, t, source.shape), cx.budget.maxLockMs);
    prints.push(await fingerprint(db, t.table));
    // the fingerprint holds from here on; that nothing changed between the reading of the definition and here is seen by reading it again
    if (differs(source.shape, await readShape(db, t.table)))
      throw new UserError(`the definition of ${display(t.table)} was changed while its rebuild was being prepared`, {
        hint: 'Nothing was replaced. Run again: the new definition will be read.',
      });
  });
  await reach('copying', { prints });
  await copyAll(cx, group);
  await reach('copied');
  await dedupe(cx, group);
  await reach('deduped');
  await buildIndexes(cx, group, sources);
  await each(group, sources, (t, source) => finishShadow(db, t, source));
  await reach('indexed');
  for (const t of group.tables) {
    let carried = 0;
    await drainUntil(db, forwardDrain(run, t), {
      until: 200,
      carried: (rows) =>
        cx.report({ type: 'progress', step: cx.stepId, what: `carrying changes of ${display(t.table)}`, done: (carried += rows), of: null, unit: 'keys' }),
    });
  }
  await reach('syncing');
  await proveBeforeSwap(cx, group);
  await reach('ready');
  return receipt;
}

const each = async (group: Group, sources: readonly Source[], work: (t: Rebuilt, source: Source) => Promise<void>): Promise<void> => {
  for (const [i, t] of group.tables.entries()) {
    const source = sources[i];
    if (source !== undefined) await work(t, source);
  }
};

/** Errors: UserError when the shadow is not the converted table, or when more rows would be set aside than were approved. */
async function proveBeforeSwap(cx: StepContext, group: Group): Promise<void> {
  await inParallel(cx, group.tables, async (db, t) => {
    await db.change('rebuild-tables/analyze', { names: { table: t.shadow } });
    const fault = faultsOf(await compare(db, cx.run, t, 'forward'))[0];
    if (fault !== undefined)
      throw new UserError(`the copy is not equal: ${fault.message}${fault.keys.length === 0 ? '' : `: ${fault.keys.join(', ')}`}`, {
        hint: 'Nothing was replaced. Run again; if it happens twice, report it.',
      });
  });
  await refuseSurplus(cx.db, cx, group);
  for (const o of await orphansNow(cx, group)) {
    const limit = approvedFor(cx, o.table, o.key);
    if (o.rows > limit)
      throw new UserError(
        `${String(o.rows)} rows of ${display(o.table.table)} have no parent for ${o.key}; ${String(limit)} were approved: ${o.keys.join(', ')}`,
        { hint: 'Nothing was replaced. Correct those rows, or rehearse and approve the new number.' },
      );
  }
}

/**
 * Counted on the old tables, whose rows are of one moment: shadows are drained one after the other, so a child may be there before its parent.
 * A value that cannot be converted may arrive at any time; then it is drained into quarantine first and the count is taken again.
 */
async function orphansNow(cx: StepContext, group: Group): Promise<readonly OrphanCount[]> {
  let aside = 0;
  for (const t of group.tables) for (const q of await quarantined(cx.db, cx.run, t)) aside += q.rows;
  if (!(await anyOrphan(cx.db, group, 'shadow', aside > 0))) return [];
  for (let attempt = 1; ; attempt += 1) {
    const unfit: (readonly string[])[] = [];
    for (const t of group.tables)
      unfit.push(
        (
          await cx.db.rows<{ key: string }>('rebuild-tables/quarantined-keys', {
            names: { quarantine: quarantineOf(cx.run, t) },
            parts: { key: join(keyColumns(t).map((c) => glue`q.${ident(c.name)}`)) },
          })
        ).map((r) => r.key),
      );
    try {
      return await countOrphans(cx.db, group, { kind: 'before', unfit });
    } catch (error) {
      if (attempt === 5 || !(error instanceof QueryFailed && /^2[23]/.test(error.sqlstate))) throw error;
      for (const t of group.tables) await drainUntil(cx.db, forwardDrain(cx.run, t));
      await refuseSurplus(cx.db, cx, group);
    }
  }
}

/** From the swap to the end: the reverse drain, settling, validation, and the guard's rest. Goes on wherever it was interrupted. */
async function afterSwap(cx: StepContext, from: RebuildReceipt, slot: ReceiptSlot<RebuildReceipt>): Promise<void> {
  const { db, run } = cx;
  const group = from.group;
  const swappedAt = from.swappedAt ?? (await readSwap(db, run, cx.stepId, 'forward'))?.at ?? null;
  let receipt: RebuildReceipt = { ...from, state: 'swapped', swappedAt, straddling: from.straddling.length > 0 ? from.straddling : await openTransactions(db) };
  await slot.save(receipt);
  for (const t of group.tables) await createReverseDrain(db, run, t);
  if (!(await validated(cx, group))) {
    await settle(cx, group);
    receipt = { ...receipt, state: 'settled' };
    await slot.save(receipt);
    for (const k of group.keys.filter((x) => x.after.validated)) await db.change('rebuild-tables/validate', { names: { child: k.child, name: k.name } });
  }
  const prints: string[] = [];
  for (const t of group.tables) prints.push(await fingerprint(db, t.table));
  await waitForStraddlers(cx, group, receipt.straddling, 2000);
  if (cx.plan.recycleConnections && swappedAt !== null) {
    const { ended } = await db.one<{ ended: number }>('rebuild-tables/recycle', { values: [swappedAt] });
    cx.report({ type: 'said', text: `${String(ended)} idle connections from before the swap were ended` });
  }
  await slot.save({ ...receipt, state: 'validated', prints });
}

/** Validates every key; false as soon as one has rows without a parent, which then have to be settled. */
async function validated(cx: StepContext, group: Group): Promise<boolean> {
  try {
    for (const k of group.keys.filter((x) => x.after.validated)) await cx.db.change('rebuild-tables/validate', { names: { child: k.child, name: k.name } });
    return true;
  } catch (error) {
    if (error instanceof QueryFailed && error.sqlstate === '23503') return false;
    throw error;
  }
}

/** Waits at most `patienceMs` for the transactions that were open at the swap, then lets the guard rest. Returns whether it rests. */
export async function waitForStraddlers(cx: StepContext, group: Group, straddling: readonly string[], patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const open = await restGuard(
      cx.db,
      cx.run,
      group.tables.map((t) => t.oid),
      straddling,
    );
    if (open.length === 0) return true;
    if (Date.now() > until) return false;
    await cx.clock.sleep(100, cx.signal);
  }
}

/** Back to before the step when no swap happened: from the receipt's names alone, whatever exists of them. */
export async function abort(cx: StepContext, group: Group): Promise<void> {
  const { db, run } = cx;
  for (const t of group.tables) {
    await removeTriggers(db, run, t);
    await removeFunctions(db, run, t);
    await removeLogs(db, run, t);
    await db.change('rebuild-tables/drop-table', { names: { table: inControl('quarantine', run, t.oid) } });
  }
  await removeTables(db, group, ['shadow']);
  await removeSchemas(db, run, group);
  await forgetSwap(db, run, cx.stepId);
}
