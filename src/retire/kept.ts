import { block, type Finding } from '../finding.js';
import { display } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { ident, join } from '../pg/render.js';
import { createGuardAndFence, dropGuardAndFence } from '../online/guard.js';
import type { ReadContext, StepContext } from '../steps/step.js';
import { at, whereabouts, type Moved, type Whereabouts } from './move.js';
import { dependentFindings, dependentsOf, tableFacts, useOf, type TableFacts } from './tables.js';

/** What may be done with tables that were retired: whether they can come back, may go, are still used. */

export const present = (facts: readonly (TableFacts | null)[]): readonly TableFacts[] => facts.filter((f) => f !== null);

export const fenced = (now: Whereabouts | undefined): boolean => now?.fences.length === 2;

/** Makes the functions that the fences call. Repeatable. */
export async function prepareFences(cx: StepContext, moves: readonly Moved[]): Promise<void> {
  await cx.db.change('retire/control-schema');
  for (const m of moves) await createGuardAndFence(cx.db, cx.run, m.oid);
}

/** Drops those functions, and forgets what was booked; no fence may stand any more. Repeatable. */
export async function releaseFences(cx: StepContext, moves: readonly Moved[]): Promise<void> {
  for (const m of moves) await dropGuardAndFence(cx.db, cx.run, m.oid);
  await cx.db.change('rebuild-tables/forget-scans', { literals: { run: cx.run, step: cx.stepId } });
}

/** Block findings: a name that was taken meanwhile, a parent that is gone, a retired table that is gone. Locks nothing. */
export async function canReturn(db: ReadDb, moves: readonly Moved[]): Promise<readonly Finding[]> {
  const where = await whereabouts(
    db,
    moves.map((m) => m.oid),
  );
  const there = await tableFacts(db, moves);
  const findings: Finding[] = [];
  for (const [i, m] of moves.entries()) {
    const object = display(m);
    const now = where.get(m.oid);
    if (now === undefined)
      findings.push(
        block('retired-table-missing', `${display(at(m))} is gone, so ${object} cannot come back`, { object, hint: 'Restore it from the backup of this run.' }),
      );
    const other = there[i] ?? null;
    if (other !== null && other.oid !== m.oid)
      findings.push(block('name-taken', `another table is called ${object} now`, { object, hint: 'Rename or retire the new table, then roll back.' }));
    const taken = now === undefined || now.schema === m.schema ? [] : await db.rows<{ name: string }>('retire/taken', { values: [m.schema, [m.oid]] });
    for (const { name } of taken)
      if (name !== m.name && name !== `_${m.name}`)
        findings.push(
          block('name-taken', `the name ${m.schema}.${name}, which belongs to ${object}, is taken now`, {
            object: `${m.schema}.${name}`,
            hint: 'Rename the new object, then roll back.',
          }),
        );
    const parents = await tableFacts(
      db,
      m.keys.map((k) => k.parent),
    );
    for (const [j, key] of m.keys.entries()) {
      const sibling = moves.some((o) => o.schema === key.parent.schema && o.name === key.parent.name);
      if ((parents[j] ?? null) === null && !sibling)
        findings.push(
          block('parent-gone', `foreign key ${key.name} of ${object} refers to ${display(key.parent)}, which does not exist any more`, {
            object: key.name,
            hint: 'Bring the parent back first.',
          }),
        );
    }
  }
  return findings;
}

/** Milliseconds that a session may take to report scans made before the retirement (pgstat's idle flush is 10 s). */
const statisticsLagMs = 60_000;

/**
 * Books, in every watch, what the statistics know: scans since the booking before were somebody else's, because our own reads of a retired table make none.
 * The first booking is the base line, so scans made before the retirement and reported late do not count.
 */
export async function bookUse(cx: StepContext, moves: readonly Moved[]): Promise<void> {
  await cx.db.change('rebuild-tables/create-usage');
  for (const { oid } of moves) {
    await cx.db.change('rebuild-tables/book-foreign', { values: [cx.run, cx.stepId, oid] });
    await cx.db.change('rebuild-tables/book-own', { values: [cx.run, cx.stepId, oid] });
  }
}

/** Scans by others that were booked, or came since; null when no watch has booked any. */
async function unbooked(cx: ReadContext, oid: number): Promise<number | null> {
  const { booked } = await cx.db.one<{ booked: boolean }>('rebuild-tables/has-usage');
  return booked ? ((await cx.db.rows<{ scans: number }>('rebuild-tables/unbooked', { values: [cx.run, cx.stepId, oid] }))[0]?.scans ?? null) : null;
}

/**
 * Block findings: dependents outside our schemas, and scans since the retirement that the statistics know (DECISIONS 35; our own
 * reads make none). Before the first watch only PostgreSQL 16 and newer can tell a scan since from one that was reported late. Tables that
 * are not where the step put them (brought back by an undo) are nobody's retired tables. `allow: retired-in-use` accepts the scans: a dump of
 * the whole database reads every table.
 */
export async function inUse(
  cx: ReadContext,
  moves: readonly Moved[],
  done: { readonly at: string; readonly scans: Readonly<Record<string, number>> } | null,
): Promise<readonly Finding[]> {
  const where = await whereabouts(
    cx.db,
    moves.map((m) => m.oid),
  );
  const away = moves.filter((m) => where.get(m.oid)?.schema === m.home);
  const oids = away.map((m) => m.oid);
  const nameOf = (oid: number): string => {
    const m = away.find((o) => o.oid === oid);
    return m === undefined ? String(oid) : display(at(m));
  };
  const findings = [...dependentFindings(await dependentsOf(cx.db, oids), nameOf)];
  if (cx.allow.has('retired-in-use')) return findings;
  for (const use of await useOf(cx.db, oids)) {
    const recent = use.last !== null && done !== null && Date.parse(use.last) > Date.parse(done.at) + statisticsLagMs;
    const since = (await unbooked(cx, use.oid)) ?? (recent ? use.scans - (done.scans[String(use.oid)] ?? 0) : 0);
    if (since > 0) {
      findings.push(
        block('retired-in-use', `${nameOf(use.oid)} was read ${String(since)} times since it was retired${use.last === null ? '' : `, last at ${use.last}`}`, {
          object: nameOf(use.oid),
          count: since,
          hint: 'Find out who reads it. A dump of the whole database counts too: if that was it, accept with `allow: retired-in-use`.',
        }),
      );
    }
  }
  return findings;
}

/** Drops the retired tables that are still there, in one statement that fails when something outside depends on them. Repeatable. */
export async function dropMoved(cx: StepContext, moves: readonly Moved[]): Promise<void> {
  const where = await whereabouts(
    cx.db,
    moves.map((m) => m.oid),
  );
  const away = moves.filter((m) => where.get(m.oid)?.schema === m.home);
  if (away.length > 0) await cx.db.change('retire/drop-tables', { parts: { tables: join(away.map((m) => ident(at(m)))) } });
}
