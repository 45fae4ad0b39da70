import { block, note, warn, type Finding } from '../../finding.js';
import { alterOnline, dropTriggers } from '../../online/capture.js';
import { backlog, drainUntil } from '../../online/drain.js';
import { openTransactions } from '../../online/guard.js';
import { forgetSwap, readSwap } from '../../online/swap-state.js';
import { display, inControl, isOurs } from '../../names.js';
import { QueryFailed, UserError } from '../../errors.js';
import { ident } from '../../pg/render.js';
import { relation } from '../../plan/plan.js';
import type { Check, TableAccount } from '../../report/event.js';
import type { ReadContext, Step, StepContext, Verified, Watched } from '../step.js';
import { apply, waitForStraddlers } from './apply.js';
import { createReverseDrain } from './carry.js';
import { quarantineOf, reverseDrain, type Rebuilt } from './design.js';
import { foundDone } from './done.js';
import { preflight } from './preflight.js';
import { compare, faultsOf, type Compared } from './proof.js';
import { readGroup } from './read.js';
import { fits } from './writable-rows.js';
import type { RebuildReceipt } from './receipt.js';
import { removeFunctions, removeLogs, removeSchemas, removeTables } from './removal.js';
import { readShape } from './shape.js';
import { rebuildSpec, writtenNames, type RebuildSpec } from './spec.js';
import { hasColumns, obstacles, undo } from './undo.js';

/**
 * Rebuilds a group of tables under the running application and swaps them in one short transaction (docs/steps/rebuild-tables.md).
 * Order of work: spec, read, design, preflight · apply: shadow, capture, copy, drain, proof, swap, settle · undo · removal.
 */
export const rebuildTables: Step<RebuildSpec, RebuildReceipt> = {
  schema: rebuildSpec,
  describe: (spec, plan) => ({
    title: `rebuild ${writtenNames(spec).join(', ')}`,
    touches: writtenNames(spec).map((name) => relation(name, plan)),
    schemas: [],
    anything: false,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: false,
    undo: 'until-cleanup',
  }),
  preflight,
  apply,
  verify,
  canUndo: (cx, _spec, receipt) => obstacles(cx, receipt),
  undo: (cx, _spec, receipt, slot) => undo(cx, receipt, slot),
  watch,
  canCleanup,
  retired: (_spec, receipt) =>
    receipt.state === 'aborted'
      ? []
      : receipt.group.tables.flatMap((t) => [receipt.state === 'undone' ? t.shadow : t.old, inControl('quarantine', runOf(t), t.oid)]),
  cleanup,
  fits,
};

/** The run is in the name of every schema that it made. */
const runOf = (t: Rebuilt): string => /^lossless_old_(.+?)(_\d+)?$/.exec(t.old.schema)?.[1] ?? '';

async function verify(cx: ReadContext, spec: RebuildSpec, receipt: RebuildReceipt): Promise<Verified> {
  if (receipt.state === 'nothing') return verifyDone(cx, spec);
  const findings: Finding[] = [];
  const checks: Check[] = [...(await typeChecks(cx, receipt))];
  const tables: TableAccount[] = [];
  const notCompared: string[] = [];
  let rowsCompared = 0;
  for (const t of receipt.group.tables) {
    const c = await compare(cx.db, cx.run, t, 'reverse');
    const waiting = await backlog(cx.db, inControl('rlog', cx.run, t.oid));
    rowsCompared += c.rows;
    findings.push(...differences(cx, c));
    if (c.nothing) notCompared.push(`${display(t.table)}: emptied by TRUNCATE since the last drain; the next watch compares it.`);
    else if (waiting.waiting > 0)
      notCompared.push(`${display(t.table)}: ${String(waiting.waiting)} changes written since the swap that wait for the next drain.`);
    if (t.columns.some((x) => !x.insertable)) notCompared.push(`${display(t.table)}: generated columns; they follow from the others.`);
    checks.push({
      name: `data of ${display(t.table)}`,
      criterion: 'data',
      expected: 'every row of the retired table is in the new one or in quarantine, per key',
      actual: c.nothing
        ? 'nothing could be compared'
        : `${String(c.rows)} rows equal, ${String(c.quarantined)} set aside, ${String(c.differences.length)} different`,
      verdict: c.nothing ? 'not-measured' : faultsOf(c).length === 0 ? 'pass' : 'fail',
    });
    tables.push(await account(cx, receipt, t, c, waiting.waiting === 0));
  }
  return { findings, checks, tables, notCompared, rowsCompared };
}

async function verifyDone(cx: ReadContext, spec: RebuildSpec): Promise<Verified> {
  const reading = await readGroup(cx.db, cx.run, cx.plan, spec);
  const done = foundDone(reading);
  const name = writtenNames(spec).join(', ');
  return {
    findings: done
      ? [note('already-done', `${name}: everything the plan asks for was there`, { step: cx.stepId })]
      : [block('schema-changed', `${name} was found done and is not any more`, { step: cx.stepId, hint: 'Somebody changed it since. Run the step again.' })],
    checks: [
      {
        name: `definition of ${name}`,
        criterion: 'types',
        expected: 'as in the plan',
        actual: done ? 'as in the plan (found done)' : 'not as in the plan',
        verdict: done ? 'pass' : 'fail',
      },
    ],
    tables: [],
    notCompared: [`${name}: found done, so no rows were touched.`],
    rowsCompared: 0,
  };
}

async function typeChecks(cx: ReadContext, receipt: RebuildReceipt): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const t of receipt.group.tables) {
    const shape = await readShape(cx.db, t.table);
    const wrong = t.columns.filter((c) => shape?.columns.find((s) => s.name === c.name)?.type !== c.newType);
    const changed = t.columns.filter((c) => c.changed);
    checks.push({
      name: `types of ${display(t.table)}`,
      criterion: 'types',
      expected: changed.length === 0 ? 'as before' : changed.map((c) => `${c.name} ${c.newType}`).join(', '),
      actual: wrong.length === 0 ? 'as expected' : wrong.map((c) => `${c.name} ${shape?.columns.find((s) => s.name === c.name)?.type ?? 'missing'}`).join(', '),
      verdict: wrong.length === 0 ? 'pass' : 'fail',
    });
    const keys = receipt.group.keys.filter((k) => k.child.schema === t.table.schema && k.child.name === t.table.name);
    for (const k of keys) {
      const found = shape?.foreignKeys.find((f) => f.name === k.name && f.childOid === shape.oid);
      checks.push({
        name: `foreign key ${display(k.child)}.${k.name}`,
        criterion: 'foreign-keys',
        expected: k.after.validated ? 'there and validated' : 'there, not validated (as before)',
        actual: found === undefined ? 'missing' : found.validated ? 'there and validated' : 'there, not validated',
        verdict: found?.validated === k.after.validated ? 'pass' : 'fail',
      });
    }
  }
  return checks;
}

async function account(cx: ReadContext, receipt: RebuildReceipt, t: Rebuilt, c: Compared, everything: boolean): Promise<TableAccount> {
  const { rows } = await cx.db.one<{ rows: number }>('rebuild-tables/count', { names: { table: t.table } });
  return {
    step: cx.stepId,
    table: display(t.table),
    before: receipt.before[receipt.group.tables.indexOf(t)] ?? null,
    after: rows,
    quarantined: c.quarantined,
    checksum: everything && c.conflicts === 0 ? c.checksum : null,
    proof: c.nothing ? 'count' : 'per-key',
  };
}

const differences = (cx: ReadContext, c: Compared): readonly Finding[] =>
  faultsOf(c).map((f) =>
    block('rows-differ', f.message, {
      step: cx.stepId,
      object: display(c.table.table),
      keys: f.keys,
      count: f.count,
      hint: 'The retired table is kept. Do not clean up; report it with the keys.',
    }),
  );

/** Keeps the retired tables up to date, proves them, lets the guard rest, books our scans. */
async function watch(cx: StepContext, _spec: RebuildSpec, receipt: RebuildReceipt): Promise<Watched> {
  const nothing: Watched = { findings: [], drained: 0, backlog: 0, blocking: [], tables: [] };
  if (
    receipt.group.tables.length === 0 ||
    (await readSwap(cx.db, cx.run, cx.stepId, 'forward'))?.state !== 'swapped' ||
    (await readSwap(cx.db, cx.run, cx.stepId, 'back'))?.state === 'swapped'
  )
    return nothing;
  const findings: Finding[] = [];
  const tables: TableAccount[] = [];
  let drained = 0;
  let waiting = 0;
  // killed between the swap and its receipt: which transactions are older is not on record, so all that are open now may be, and the way back is not made yet
  const interrupted = receipt.state === 'ready' || receipt.state === 'swapped';
  await waitForStraddlers(cx, receipt.group, receipt.state === 'ready' ? await openTransactions(cx.db) : receipt.straddling, 0);
  if (interrupted) for (const t of receipt.group.tables) await createReverseDrain(cx.db, cx.run, t);
  await book(cx, receipt, 'foreign');
  for (const t of receipt.group.tables) {
    // a column that was renamed or retyped: nothing can be carried or compared until it is back; obstacles says so
    if (!(await hasColumns(cx.db, t))) {
      waiting += (await backlog(cx.db, inControl('rlog', cx.run, t.oid))).waiting;
      continue;
    }
    try {
      drained += await drainUntil(cx.db, reverseDrain(cx.run, t), { until: 200 });
    } catch (error) {
      if (!(error instanceof UserError || (error instanceof QueryFailed && /^2[23]/.test(error.sqlstate)))) throw error;
      findings.push(
        block('not-convertible-back', `${display(t.table)}: writes made since the swap cannot be carried back: ${error.message}`, {
          step: cx.stepId,
          object: display(t.table),
          hint: 'Correct the row in the application; the next watch tries again. Until then a rollback is blocked.',
        }),
      );
    }
    const c = await compare(cx.db, cx.run, t, 'reverse');
    const left = await backlog(cx.db, inControl('rlog', cx.run, t.oid));
    waiting += left.waiting;
    findings.push(...differences(cx, c));
    tables.push(await account(cx, receipt, t, c, left.waiting === 0));
  }
  for (const k of receipt.group.keys.filter((x) => x.after.validated)) {
    const shape = await readShape(cx.db, k.child);
    const found = shape?.foreignKeys.find((f) => f.name === k.name && f.childOid === shape.oid);
    if (found?.validated !== true)
      findings.push(
        block('schema-changed', `foreign key ${display(k.child)}.${k.name} is ${found === undefined ? 'missing' : 'not validated'}`, {
          step: cx.stepId,
          object: `${display(k.child)}.${k.name}`,
          hint: 'Somebody changed it since the swap: put it back.',
        }),
      );
  }
  const blocked = await obstacles(cx, receipt);
  await book(cx, receipt, 'own');
  return { findings, drained, backlog: waiting, blocking: blocked.filter((f) => f.severity === 'block'), tables };
}

/** Scans of retired tables: what the counters grew by between two watches was not us. They are written out with up to a second's delay. */
async function book(cx: StepContext, receipt: RebuildReceipt, whose: 'foreign' | 'own'): Promise<void> {
  await cx.db.change('rebuild-tables/create-usage');
  if (whose === 'own') await cx.db.change('rebuild-tables/flush-own');
  for (const t of receipt.group.tables) {
    const oid = await oidOfRetired(cx, t);
    if (oid === null) continue;
    await cx.db.change(whose === 'foreign' ? 'rebuild-tables/book-foreign' : 'rebuild-tables/book-own', { values: [cx.run, cx.stepId, oid] });
  }
}

const oidOfRetired = async (cx: ReadContext, t: Rebuilt): Promise<number | null> =>
  (await cx.db.one<{ oid: number | null }>('rebuild-tables/oid', { values: [ident(t.old)] })).oid;

async function canCleanup(cx: ReadContext, _spec: RebuildSpec, receipt: RebuildReceipt): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const t of receipt.group.tables) {
    const shape = await readShape(cx.db, t.old);
    if (shape === null) continue;
    const object = display(t.old);
    for (const dependent of shape.dependents)
      found.push(
        block('has-dependents', `${dependent} depends on ${object}`, {
          step: cx.stepId,
          object: dependent,
          hint: `Drop it, or let it use ${display(t.table)}.`,
        }),
      );
    for (const fk of shape.foreignKeys.filter((k) => !isOurs(k.child.schema)))
      found.push(
        block('has-dependents', `foreign key ${display(fk.child)}.${fk.name} refers to ${object}`, {
          step: cx.stepId,
          object: `${display(fk.child)}.${fk.name}`,
          hint: `Let it refer to ${display(t.table)}.`,
        }),
      );
    const { booked } = await cx.db.one<{ booked: boolean }>('rebuild-tables/has-usage');
    const row = booked ? (await cx.db.rows<{ scans: number }>('rebuild-tables/unbooked', { values: [cx.run, cx.stepId, shape.oid] }))[0] : undefined;
    if (row !== undefined && row.scans > 0) {
      const accepted = cx.allow.has('retired-in-use');
      found.push(
        (accepted ? warn : block)('retired-in-use', `${object} was scanned ${String(row.scans)} times by somebody else (a backup of yours counts as well)`, {
          step: cx.stepId,
          object,
          count: row.scans,
          hint: 'Find who reads it, or accept with allow: retired-in-use.',
        }),
      );
    }
  }
  return found;
}

/** Takes away everything of this step: also after a rollback, when the failed tables lie in lossless_new. Safe to repeat. */
async function cleanup(cx: StepContext, _spec: RebuildSpec, receipt: RebuildReceipt): Promise<void> {
  const { db, run } = cx;
  const { group } = receipt;
  for (const t of group.tables) {
    if ((await db.rows('rebuild-tables/our-triggers', { values: [ident(t.table), `%\\_${run}`] })).length > 0)
      await alterOnline(db, t.table, dropTriggers(run, t.table), 'rebuild-tables/remove-triggers', cx.budget.maxLockMs);
    const gone = (await readShape(db, t.old)) === null && (await readShape(db, t.shadow)) === null;
    if (!gone)
      for (const side of [t.old, t.shadow])
        if ((await db.rows('rebuild-tables/our-triggers', { values: [ident(side), `%\\_${run}`] })).length > 0)
          await alterOnline(db, side, dropTriggers(run, side), 'rebuild-tables/remove-triggers');
    await removeFunctions(db, run, t);
    await removeLogs(db, run, t);
    await db.change('rebuild-tables/drop-table', { names: { table: quarantineOf(run, t) } });
  }
  await removeTables(db, group, ['old', 'shadow']);
  await removeSchemas(db, run, group);
  await db.change('rebuild-tables/forget-scans', { literals: { run, step: cx.stepId } });
  await forgetSwap(db, run, cx.stepId);
  for (const t of group.tables)
    for (const name of await quarantinedLeft(cx, t)) throw new UserError(`${name} is still there after cleanup`, { hint: 'Run cleanup again.' });
}

const quarantinedLeft = async (cx: StepContext, t: Rebuilt): Promise<readonly string[]> =>
  (await cx.db.rows<{ name: string }>('rebuild-tables/exists', { values: [[ident(t.old), ident(t.shadow), ident(quarantineOf(cx.run, t))]] })).map(
    (r) => r.name,
  );
