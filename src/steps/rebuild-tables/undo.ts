import { QueryFailed, UserError } from '../../errors.js';
import { block, warn, type Finding } from '../../finding.js';
import { alterOnline, dropTriggers } from '../../online/capture.js';
import { backlog, drainUntil } from '../../online/drain.js';
import { createGuardAndFence, openTransactions } from '../../online/guard.js';
import { readSwap, tryAgain } from '../../online/swap-state.js';
import { display, inControl } from '../../names.js';
import type { ReadDb } from '../../pg/db.js';
import { fromCatalog, glue, ident, join } from '../../pg/render.js';
import type { ReadContext, ReceiptSlot, StepContext } from '../step.js';
import { abort, decide, waitForStraddlers } from './apply.js';
import { createReverseDrain } from './carry.js';
import { insertable, keyColumns, quarantineOf, reverseDrain, type Rebuilt } from './design.js';
import { compare, faultsOf } from './proof.js';
import type { RebuildReceipt } from './receipt.js';
import { removeFunctions, removeLogs } from './removal.js';
import { readShape } from './shape.js';
import { fingerprint, swap } from './swap.js';

/** Brings the old tables back with every write made since; before a swap it only takes away what was built. Accepts what an interrupted undo leaves. */
export async function undo(cx: StepContext, receipt: RebuildReceipt | null, slot?: ReceiptSlot<RebuildReceipt>): Promise<void> {
  if (receipt === null || receipt.state === 'nothing' || receipt.state === 'aborted') return;
  const { group } = receipt;
  if ((await readSwap(cx.db, cx.run, cx.stepId, 'back'))?.state !== 'swapped') {
    if ((await decide(cx)) !== 'swapped') {
      await abort(cx, group);
      await slot?.save({ ...receipt, state: 'aborted' });
      return;
    }
    await swapBack(cx, receipt);
  }
  await slot?.save({ ...receipt, state: 'undone' });
  for (const k of group.keys) if (k.before?.validated === true) await cx.db.change('rebuild-tables/validate', { names: { child: k.child, name: k.name } });
  await removeGuards(cx, receipt);
  for (const t of group.tables) {
    await removeFunctions(cx.db, cx.run, t, ['cap', 'drain', 'rcap', 'rdrain', 'fits', 'keyfits']);
    await removeLogs(cx.db, cx.run, t);
  }
}

async function swapBack(cx: StepContext, receipt: RebuildReceipt): Promise<void> {
  const { group } = receipt;
  // read first: what changes from here on meets the check under the lock, what changed before is seen by obstacles and proof
  const prints: string[] = [];
  for (const t of group.tables) prints.push(await fingerprint(cx.db, t.table));
  await refuseObstacles(cx, receipt);
  for (const t of group.tables) {
    await createReverseDrain(cx.db, cx.run, t);
    await createGuardAndFence(cx.db, cx.run, t.oid);
    let carried = 0;
    await drainUntil(cx.db, reverseDrain(cx.run, t), {
      until: 200,
      carried: (rows) =>
        cx.report({ type: 'progress', step: cx.stepId, what: `carrying writes back to ${display(t.table)}`, done: (carried += rows), of: null, unit: 'keys' }),
    });
  }
  await refuseObstacles(cx, receipt);
  for (const t of group.tables) {
    const fault = faultsOf(await compare(cx.db, cx.run, t, 'reverse'))[0];
    if (fault !== undefined)
      throw new UserError(`the retired table is not equal: ${fault.message}${fault.keys.length === 0 ? '' : `: ${fault.keys.join(', ')}`}`, {
        hint: 'Nothing was replaced: the new tables stay in use. Report it with the keys.',
      });
  }
  await tryAgain(cx.db, cx.run, cx.stepId, 'back');
  await swap(cx, group, 'back', prints, []);
}

async function refuseObstacles(cx: StepContext, receipt: RebuildReceipt): Promise<void> {
  const stop = (await obstacles(cx, receipt)).find((f) => f.severity === 'block');
  if (stop !== undefined) throw new UserError(stop.message, stop.hint === undefined ? {} : { hint: stop.hint });
}

/** The guard of the tables that came back goes when the last transaction that straddled the swap has ended; a later undo or cleanup takes it otherwise. */
async function removeGuards(cx: StepContext, receipt: RebuildReceipt): Promise<void> {
  const rests = await waitForStraddlers(cx, receipt.group, await openTransactions(cx.db), 30_000);
  if (!rests) {
    cx.report({ type: 'said', text: 'a transaction from before the swap is still open: its guard stays until cleanup' });
    return;
  }
  for (const t of receipt.group.tables) {
    if ((await cx.db.rows('rebuild-tables/our-triggers', { values: [ident(t.table), `%\\_${cx.run}`] })).length > 0)
      await alterOnline(cx.db, t.table, dropTriggers(cx.run, t.table, ['guard']), 'rebuild-tables/remove-guard', cx.budget.maxLockMs);
    await removeFunctions(cx.db, cx.run, t, ['guard']);
  }
}

/** What would stop an undo now or lose something in it: keys, never values. Reads only. */
export async function obstacles(cx: ReadContext, receipt: RebuildReceipt): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  if (receipt.state === 'nothing') return found;
  if ((await readSwap(cx.db, cx.run, cx.stepId, 'forward'))?.state !== 'swapped') return found;
  if ((await readSwap(cx.db, cx.run, cx.stepId, 'back'))?.state === 'swapped') return found;
  for (const [i, t] of receipt.group.tables.entries()) {
    const object = display(t.table);
    const print = receipt.prints[i];
    if (receipt.state === 'validated' && print !== undefined && (await fingerprint(cx.db, t.table)) !== print)
      found.push(
        block('schema-changed', `the definition of ${object} was changed since the swap; going back would lose that`, {
          object,
          step: cx.stepId,
          hint: 'Undo that change first, or keep the new table and let the retention end.',
        }),
      );
    // the fingerprint is taken at the validation: what came between the swap and it, or before an interrupted one, is told by the rebuild's own columns
    else if (await hasFurtherColumns(cx.db, t))
      found.push(
        block('schema-changed', `${object} got columns since the swap; going back would lose what is in them`, {
          object,
          step: cx.stepId,
          hint: 'Drop them first, or keep the new table and let the retention end.',
        }),
      );
    // what the columns' names no longer allow to ask is not asked
    const asked = await hasColumns(cx.db, t);
    if ((await backlog(cx.db, inControl('rlog', cx.run, t.oid))).unreadable)
      found.push(
        block('key-unreadable', `key columns of ${object} were changed since the swap, so some writes could not be followed`, {
          object,
          step: cx.stepId,
          hint: 'A rollback would lose them. Keep the new table.',
        }),
      );
    if (!asked) continue;
    const keys = await conflicts(cx.db, cx.run, t);
    if (keys.length > 0) {
      const accepted = cx.allow.has('reverse-conflict');
      const what = `${String(keys.length)} keys of rows that were set aside from ${object} are used again; a rollback keeps the new rows`;
      found.push(
        (accepted ? warn : block)('reverse-conflict', what, {
          object,
          step: cx.stepId,
          count: keys.length,
          keys,
          hint: 'The rows that were set aside stay in quarantine. Accept with allow: reverse-conflict.',
        }),
      );
    }
    if (!(await convertsBack(cx.db, cx.run, t)))
      found.push(
        block('not-convertible-back', `rows of ${object} that were written since the swap cannot be converted back to the old types`, {
          object,
          step: cx.stepId,
          hint: 'Correct those rows in the application, or keep the new table.',
        }),
      );
  }
  return found;
}

/** Whether the new table still has every column under its name and type. */
export async function hasColumns(db: ReadDb, t: Rebuilt): Promise<boolean> {
  const shape = await readShape(db, t.table);
  return t.columns.every((c) => shape?.columns.some((s) => s.name === c.name && s.type === c.newType) === true);
}

async function hasFurtherColumns(db: ReadDb, t: Rebuilt): Promise<boolean> {
  const shape = await readShape(db, t.table);
  return shape?.columns.some((s) => !t.columns.some((c) => c.name === s.name)) === true;
}

async function conflicts(db: ReadDb, run: string, t: Rebuilt): Promise<readonly string[]> {
  const rows = await db.rows<{ key: string }>('rebuild-tables/conflicts', {
    names: { quarantine: quarantineOf(run, t), table: t.table },
    parts: {
      key: join(keyColumns(t).map((c) => glue`n.${ident(c.name)}`)),
      match: join(
        keyColumns(t).map((c) => glue`q.${ident(c.name)} = ${c.back}`),
        ' AND ',
      ),
    },
  });
  return rows.map((r) => r.key);
}

/** Tries the way back of every row that waits; a length that the old column does not have counts as well. */
async function convertsBack(db: ReadDb, run: string, t: Rebuilt): Promise<boolean> {
  const changed = insertable(t).filter((c) => c.changed);
  if (changed.length === 0) return true;
  const long = changed.flatMap((c) => {
    const length = /^character(?: varying)?\((\d+)\)$/.exec(c.oldType)?.[1];
    return length === undefined ? [] : [glue`char_length((${c.back})::text) > ${fromCatalog(length)}`];
  });
  try {
    const { misfits } = await db.one<{ misfits: number }>('rebuild-tables/converts-back', {
      names: { log: inControl('rlog', run, t.oid), table: t.table },
      parts: {
        values: join([fromCatalog('0'), ...changed.map((c) => glue`count(${c.back})`)], ' + '),
        misfit: long.length === 0 ? fromCatalog('false') : join(long, ' OR '),
        match: join(
          keyColumns(t).map((c, i) => glue`n.${ident(c.name)} = l.${fromCatalog(`k${String(i + 1)}`)}`),
          ' AND ',
        ),
      },
    });
    return misfits === 0;
  } catch (error) {
    if (error instanceof QueryFailed && /^(22|23)/.test(error.sqlstate)) return false;
    throw error;
  }
}
