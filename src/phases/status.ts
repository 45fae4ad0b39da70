import { Journal, type RunRow, type StepRow, type WatchRow } from '../journal/journal.js';
import { display, type Relation } from '../names.js';
import type { ReadDb } from '../pg/db.js';
import { ident } from '../pg/render.js';
import type { Section } from '../report/event.js';
import { kindNamed } from '../steps/index.js';
import { plural, targetOf } from './arenas.js';
import { allRuns, type KnownRun } from './locate-run.js';
import type { Phase } from './phase.js';

/** What the journal knows: runs, steps, what is retired until when, whether a rollback is possible. Reads only the journal, holds no lock. */
export const status: Phase = {
  name: 'status',
  needsPlan: false,
  needs: () => ['production-url'],
  writes: 'nothing',
  async run(cx) {
    const runs = await allRuns(cx);
    const lastOf = async ({ row, where }: KnownRun): Promise<WatchRow | null> =>
      Journal.lastWatch(await cx.open(targetOf(cx, where), 'reader', 'lossless journal reader'), row.id);
    const sections: Section[] = [
      {
        title: 'Runs',
        head: ['run', 'plan', 'state', 'begun', 'reversible until', 'last watch', 'rollback'],
        rows: await Promise.all(
          runs.map(async ({ row, where }) => {
            const last = await lastOf({ row, where });
            return [
              row.id,
              `${row.planName} (${row.planDigest.slice(0, 12)})`,
              row.state,
              row.startedAt,
              row.retainUntil ?? '',
              last === null ? 'never' : `${last.at} ${last.outcome}, backlog ${String(last.backlog)}`,
              rollbackOf(row, last),
            ];
          }),
        ),
      },
    ];
    for (const { row } of runs.filter((r) => r.row.state !== 'cleaned')) {
      for (const name of row.databases) {
        const target = cx.targets[name];
        if (target === null) continue;
        const db = await cx.open(target, 'reader', 'lossless journal reader');
        const steps = await Journal.readSteps(db, row.id);
        sections.push({
          title: `Run ${row.id} on ${name}`,
          head: ['step', 'kind', 'state', 'kept', 'to put set-aside rows back'],
          rows: await Promise.all(
            steps.map(async (s) => {
              const kept = s.receipt === null ? [] : (kindNamed(s.kind)?.retired(s.spec, s.receipt) ?? []);
              const back = await Promise.all(kept.filter((r) => r.name.startsWith('quarantine_')).map((r) => putBack(db, s, r)));
              return [s.id, s.kind, s.failure === null ? s.state : `${s.state}: ${s.failure}`, kept.map(display).join(', '), back.join('; ')];
            }),
          ),
        });
      }
    }
    const open = runs.filter((r) => r.row.state !== 'cleaned' && r.row.state !== 'rolled-back');
    const [newest] = open;
    const lastOfNewest = newest === undefined ? null : await lastOf(newest);
    return {
      outcome: 'passed',
      sentence: runs.length === 0 ? 'no run is in the journal' : `${plural(runs.length, 'run')}, ${String(open.length)} open`,
      findings: [],
      sections,
      run: newest?.row.id ?? null,
      rollback:
        newest === undefined
          ? null
          : {
              possible: rollbackOf(newest.row, lastOfNewest) === 'possible',
              until: newest.row.retainUntil,
              rehearsed: null,
              backlog: lastOfNewest?.backlog ?? 0,
              blockedBy: [],
            },
      next: open.map(({ row }) => ({ who: row.state === 'migrated' ? 'cleanup.yml' : 'a maintainer', what: nextOf(row) })),
    };
  },
};

/** SQL that puts set-aside rows back once what they lack is there (DECISIONS 21). Rows of a merge's conflicts have their counterpart in the target: those are looked at. */
async function putBack(db: ReadDb, step: StepRow, quarantine: Relation): Promise<string> {
  const look = `SELECT * FROM ${ident(quarantine)}`;
  if (step.kind !== 'rebuild-tables') return look;
  const rows = await db.rows<{ statement: string }>('journal/put-back', {
    values: [ident(quarantine), [...new Set(step.holds.relations.map((r) => r.schema))]],
  });
  return rows[0]?.statement ?? look;
}

const rollbackOf = (row: RunRow, last: { body: unknown } | null): string => {
  if (row.state !== 'migrated') return ['failed', 'migrating', 'rolling-back'].includes(row.state) ? 'possible' : 'no';
  const blocking = (last?.body as { blocking?: number } | undefined)?.blocking ?? 0;
  return blocking === 0 ? 'possible' : `blocked by ${plural(blocking, 'finding')}`;
};

const nextOf = (row: RunRow): string => {
  switch (row.state) {
    case 'migrating':
      return `run ${row.id} was interrupted: run migrate again to continue, or rollback with confirm = ${row.id}`;
    case 'failed':
    case 'rolling-back':
      return `rollback with confirm = ${row.id}`;
    case 'migrated':
      return `run ${row.id}: cleanup is due after ${row.retainUntil ?? 'the retention'}`;
    case 'rolled-back':
    case 'cleaning':
    case 'cleaned':
      return `cleanup of run ${row.id}`;
  }
};
