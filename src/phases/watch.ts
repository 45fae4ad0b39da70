import { Aborted, toFailure } from '../errors.js';
import { block, note, type Finding } from '../finding.js';
import { Journal, lockHolders, watchEveryMs, type RunRow, type RunState, type StepRow } from '../journal/journal.js';
import { display } from '../names.js';
import { unvalidated } from '../proof/references.js';
import { runQueries } from '../proof/workload.js';
import type { Check, RollbackState, Section, TableAccount } from '../report/event.js';
import { canUndoAll, watchAll } from '../steps/all.js';
import { lockDatabases, openArenas, plural, releaseDatabases, rowsOf, targetOf, workOf, type Locked } from './arenas.js';
import { allRuns, databasesOfRun, locateRun } from './locate-run.js';
import { maintenanceOffLeftOn, materialize, workingDirectoryOf } from './maintenance.js';
import type { Phase, PhaseContext } from './phase.js';
import { planOfRun } from './plan-of-run.js';
import { startShape } from './start.js';
import { Refusal } from './refusal.js';

const wishEveryMs = 2000;

/** Runs that hold something live. All but `migrated` were left half done, when nobody has the lock. */
const watched: readonly RunState[] = ['migrated', 'migrating', 'failed', 'rolling-back'];

/**
 * Every day of the retention, for every open run: carries what was written since to the retired side, proves again that nothing is
 * lost, lists what would block a rollback, and looks at keys, queries and the health address. Writes only the journal and retired tables.
 */
export const watch: Phase = {
  name: 'watch',
  needsPlan: false,
  needs: () => ['production-url'],
  writes: 'target',
  async run(cx) {
    const open = (await allRuns(cx)).map((k) => k.row).filter((r) => watched.includes(r.state));
    if (open.length === 0) {
      return { outcome: 'passed', sentence: 'no run is open: there is nothing to watch', findings: [], next: [] };
    }
    const names = (['production', 'development'] as const).filter((name) => open.some((r) => databasesOfRun(r).includes(name)));
    let locked: readonly Locked[];
    try {
      locked = await lockDatabases(cx, names);
    } catch (error) {
      if (error instanceof Refusal && error.findings[0].code === 'run-active')
        return busy(
          cx,
          open.filter((r) => r.state === 'migrated'),
          error.findings[0],
        );
      throw error;
    }
    const yielding = new AbortController();
    const wished = setInterval(() => {
      const [first] = locked;
      if (first !== undefined)
        void lockHolders(first.lockDb, 'wish').then(
          (holders) => holders.length > 0 && yielding.abort(),
          () => undefined,
        );
    }, wishEveryMs);
    const inner: PhaseContext = {
      ...cx,
      signal: AbortSignal.any([cx.signal, yielding.signal]),
      open: (target, kind, name) => cx.open(target, kind, name, yielding.signal),
    };
    const seen: Watched[] = [];
    try {
      await maintenanceOffLeftOn(inner, locked);
      for (const { id } of open) {
        const row = await locateRun(inner, id, locked);
        if (row.state === 'migrated') seen.push(await watchOrRed(inner, locked, row));
        else if (watched.includes(row.state)) seen.push(halfDone(row));
      }
    } catch (error) {
      if (yielding.signal.aborted && !cx.signal.aborted) {
        return {
          outcome: 'passed',
          sentence: 'the watch made room for a rollback that waits',
          findings: [note('watch-yielded', 'a rollback waits for the lock; the next watch continues')],
          next: [],
        };
      }
      throw error;
    } finally {
      clearInterval(wished);
      await releaseDatabases(locked).catch(() => undefined);
    }
    const red = seen.filter((s) => s.outcome === 'red');
    for (const s of red) await raise(cx, s);
    const [newest] = seen;
    return {
      outcome: red.length === 0 ? 'passed' : 'failed',
      sentence:
        red.length === 0
          ? `${plural(seen.length, 'run')} watched: nothing is lost, ${plural(
              seen.reduce((n, s) => n + s.drained, 0),
              'key',
            )} carried to the retired side`
          : `the watch of run ${red.map((s) => s.row.id).join(', ')} found something wrong`,
      findings: seen.flatMap((s) => s.findings),
      checks: seen.flatMap((s) => s.checks),
      tables: seen.flatMap((s) => s.tables),
      sections: seen.map((s) => s.section),
      run: newest?.row.id ?? null,
      rollback: newest?.rollback ?? null,
      next:
        red.length === 0
          ? [{ who: 'nobody', what: `cleanup is due after ${newest?.row.retainUntil ?? ''}` }]
          : [{ who: 'a maintainer', what: 'read the findings; roll back if data is in doubt (rollback with the run id)' }],
    };
  },
};

interface Watched {
  readonly row: RunRow;
  readonly outcome: 'green' | 'red';
  readonly findings: readonly Finding[];
  readonly checks: readonly Check[];
  readonly tables: readonly TableAccount[];
  readonly drained: number;
  /** null: not looked at */
  readonly rollback: RollbackState | null;
  readonly section: Section;
}

const nothingSeen = { outcome: 'red', checks: [], tables: [], drained: 0, rollback: null } as const;

/** A run that cannot be watched is red in the journal too, so that no cleanup takes an older green for the last word; the other runs are still watched. */
async function watchOrRed(cx: PhaseContext, locked: readonly Locked[], row: RunRow): Promise<Watched> {
  try {
    return await watchRun(cx, locked, row);
  } catch (error) {
    if (cx.signal.aborted) throw error;
    const failure = toFailure(error);
    const findings = [
      block('watch-incomplete', `run ${row.id} could not be watched: ${failure.message}`, {
        object: row.id,
        hint: failure.more.hint ?? 'Remove the cause and run watch again; until then cleanup refuses.',
      }),
    ];
    for (const l of locked) {
      if ((await l.journal.runs()).some((r) => r.id === row.id))
        await l.journal.watched(row.id, {
          outcome: 'red',
          backlog: 0,
          body: { findings: findings.map((f) => ({ code: f.code, message: f.message, object: row.id })) },
        });
    }
    return { ...nothingSeen, row, findings, section: { title: `Run ${row.id}`, head: ['what', 'found'], rows: [['watch', failure.message]] } };
  }
}

/** Nobody has the lock, and the run neither ended nor was undone: its process was killed, or its undo failed. */
const halfDone = (row: RunRow): Watched => ({
  ...nothingSeen,
  row,
  findings: [
    block('run-unfinished', `run ${row.id} is ${row.state}, and no process is at work on it${row.failure === null ? '' : `: ${row.failure}`}`, {
      object: row.id,
      hint: `${row.state === 'migrating' ? 'Run migrate again to continue it, or' : 'Run'} phase rollback with confirm = ${row.id}.`,
    }),
  ],
  section: { title: `Run ${row.id}`, head: ['what', 'found'], rows: [['state', row.state]] },
});

async function watchRun(cx: PhaseContext, locked: readonly Locked[], row: RunRow): Promise<Watched> {
  const own = locked.filter((l) => databasesOfRun(row).includes(l.name));
  const [first] = own;
  if (first === undefined) throw new Aborted('no database of the run is locked');
  const { plan, files } = await planOfRun(first.journalDb, row);
  const arenas = await openArenas(cx, own, row.id);
  const work = workOf(cx, {
    run: row.id,
    plan,
    arenas,
    approved: row.approved,
    allow: new Set(row.allow),
    maxLockMs: row.maxLockMs,
    workingDirectory: materialize(workingDirectoryOf(cx, plan), cx.scratch, row.id, files),
    quiet: (inner) => inner(false),
  });
  const rows: readonly StepRow[] = await rowsOf(own, row.id);
  const all = await watchAll(work, rows);
  const findings: Finding[] = [...all.findings];
  const checks: Check[] = [];
  const blocking = [...all.blocking, ...(await canUndoAll(work, rows))].filter((f) => f.severity === 'block');
  for (const l of own) {
    const reader = arenas[l.name]?.reader;
    if (reader === undefined) continue;
    const before = startShape.parse((await Journal.readEvidence(reader, row.id))['start']).unvalidated;
    const loose = (await unvalidated(reader, plan.schemas)).filter((u) => !before.includes(`${display(u.relation)}.${u.name}`));
    checks.push({
      name: `foreign keys of ${l.name} validated`,
      criterion: 'foreign-keys',
      expected: 'all but those that were not before',
      actual: loose.length === 0 ? 'all but those that were not before' : loose.map((u) => u.name).join(', '),
      verdict: loose.length === 0 ? 'pass' : 'fail',
    });
    if (l.name === 'production') checks.push(...(await runQueries(reader, plan.watch.queries, plan.schemas)));
  }
  const asked = plan.watch.health === null ? null : await health(plan.watch.health, cx.signal);
  if (asked !== null) checks.push(asked);
  for (const check of checks.filter((c) => c.verdict !== 'pass')) {
    const code = check === asked ? 'health-failed' : check.criterion === 'foreign-keys' ? 'key-left-unvalidated' : 'query-unexpected';
    findings.push(
      block(code, `${check.name}: expected ${check.expected}, found ${check.actual}`, {
        object: check.name,
      }),
    );
  }
  const outcome = findings.some((f) => f.severity === 'block') ? 'red' : 'green';
  const rollback: RollbackState = { possible: blocking.length === 0, until: row.retainUntil, rehearsed: null, backlog: all.backlog, blockedBy: blocking };
  for (const l of own) {
    await l.journal.watched(row.id, {
      outcome,
      backlog: all.backlog,
      body: { findings: findings.map((f) => ({ code: f.code, message: f.message, object: f.object ?? '' })), blocking: blocking.length },
    });
  }
  const section: Section = {
    title: `Run ${row.id}`,
    head: ['what', 'found'],
    rows: [
      ['keys carried to the retired side', String(all.drained)],
      ['keys still to carry', String(all.backlog)],
      ['rollback', blocking.length === 0 ? `possible until ${row.retainUntil ?? ''}` : `blocked by ${plural(blocking.length, 'finding')}`],
      ...blocking.map((f) => [`blocked: ${f.object ?? f.code}`, `${f.message}${f.keys === undefined ? '' : ` (keys: ${f.keys.join(', ')})`}`]),
    ],
  };
  return {
    row,
    outcome,
    findings: [...findings, ...blocking.map((f) => ({ ...f, severity: 'warn' as const }))],
    checks,
    tables: all.tables,
    drained: all.drained,
    rollback,
    section,
  };
}

async function health(address: string, signal: AbortSignal): Promise<Check> {
  const check = (actual: string, verdict: Check['verdict']): Check => ({
    name: `health ${address}`,
    criterion: 'application',
    expected: 'a status from 200 to 299',
    actual,
    verdict,
  });
  try {
    const response = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]), redirect: 'follow' });
    await response.body?.cancel();
    return check(`status ${String(response.status)}`, response.ok ? 'pass' : 'fail');
  } catch (error) {
    return check(toFailure(error).message, 'fail');
  }
}

async function busy(cx: PhaseContext, open: readonly RunRow[], finding: Finding): ReturnType<Phase['run']> {
  const db = await cx.open(targetOf(cx, 'production'), 'reader', 'lossless journal reader');
  const ages = await Promise.all(open.map(async (r) => (await Journal.lastWatch(db, r.id))?.at ?? r.migratedAt ?? r.startedAt));
  const oldest = Math.min(...ages.map((at) => new Date(at).getTime()));
  const late = cx.clock.now().getTime() - oldest > watchEveryMs;
  return {
    outcome: late ? 'failed' : 'passed',
    sentence: late
      ? `busy, and the last watch is from ${new Date(oldest).toISOString()}: more than 36 hours ago`
      : 'busy: another run holds the lock; the next watch will look',
    findings: [late ? finding : { ...finding, severity: 'note' }],
    next: late ? [{ who: 'a maintainer', what: 'see which session holds the lock' }] : [],
  };
}

async function raise(cx: PhaseContext, seen: Watched): Promise<void> {
  if (cx.github === null) return;
  const lines = seen.findings.filter((f) => f.severity === 'block').map((f) => `- \`${f.code}\` ${f.message}${f.hint === undefined ? '' : ` ${f.hint}`}`);
  const url = await cx.github.raiseIssue(
    `Lossless: watch of run ${seen.row.id} is red`,
    [`The daily watch of run \`${seen.row.id}\` (plan ${seen.row.planName}) found:`, '', ...lines, '', cx.invocation.url].join('\n'),
  );
  cx.report({ type: 'said', text: `issue: ${url}` });
}
