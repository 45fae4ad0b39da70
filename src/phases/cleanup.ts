import { NotProved, toFailure } from '../errors.js';
import { block, note, type Finding } from '../finding.js';
import { isGreen, Journal, type RunRow, type RunState, type StepRow } from '../journal/journal.js';
import { archiveTables } from '../backup/archive.js';
import { canCleanupAll, cleanupAll, retiredNow, retiredSchemasNow, type Work } from '../steps/all.js';
import { knowing, lockDatabases, openArenas, plural, rowsOf, setRunState, targetOf, workOf, type Locked } from './arenas.js';
import { evidenceName } from './evidence.js';
import { allRuns, databasesOfRun, locateRun } from './locate-run.js';
import { maintenanceOffLeftOn, materialize, workingDirectoryOf } from './maintenance.js';
import type { Phase, PhaseContext, PhaseResult } from './phase.js';
import { planOfRun } from './plan-of-run.js';
import { refuseIfBlocked, Refusal } from './refusal.js';
import { sweep } from './sweep.js';

/**
 * The only phase that destroys what a rollback needs: after the retention, when the last watch was green and nothing uses the retired
 * objects, it archives them encrypted, verifies the archive, drops them, and leaves of ours only the journal. Otherwise it refuses and says why.
 */
export const cleanup: Phase = {
  name: 'cleanup',
  needsPlan: false,
  needs: () => ['production-url'],
  writes: 'target',
  async run(cx) {
    const { confirm } = cx.inputs;
    const open = (await allRuns(cx)).map((k) => k.row).filter((r) => endable.includes(r.state));
    const wanted = confirm === '' ? open : [requireEndable(await locateRun(cx, confirm))];
    // after the first session, because the server's clock judges
    const candidates = wanted.filter((r) => isDue(r, cx.clock.now()));
    if (candidates.length === 0) return notDue(cx, wanted);
    for (const row of candidates) for (const name of databasesOfRun(row)) targetOf(cx, name);
    const names = (['production', 'development'] as const).filter((name) => candidates.some((r) => databasesOfRun(r).includes(name)));
    const locked = await lockDatabases(cx, names);
    await maintenanceOffLeftOn(cx, locked);
    // a rollback may have ended between the look and the lock, and then a new retention has begun
    const rows = await Promise.all(candidates.map((r) => locateRun(cx, r.id, locked)));
    const due = rows.filter((r) => endable.includes(r.state) && isDue(r, cx.clock.now())).sort((a, b) => a.startedAt.localeCompare(b.startedAt));
    if (due.length === 0) return notDue(cx, confirm === '' ? rows.filter((r) => endable.includes(r.state)) : rows.map(requireEndable));
    const ready: Ready[] = [];
    for (const row of due) ready.push(await readyFor(cx, locked, row));
    // one refusal refuses all, before anything is dropped
    refuseIfBlocked(ready.flatMap((r) => r.refusals));
    const archived: (readonly (readonly string[])[])[] = [];
    for (const r of ready) archived.push(await archive(cx, r));
    const results: Cleaned[] = [];
    for (const [i, r] of ready.entries()) results.push(await drop(r, archived[i] ?? []));
    const left = (await Promise.all(locked.map((l) => sweep(l)))).flat();
    return {
      outcome: 'passed',
      sentence: `${due.map((r) => `run ${r.id}`).join(', ')} cleaned: ${plural(
        results.reduce((n, r) => n + r.dropped.length, 0),
        'table',
      )} archived and dropped; of ours only the journal is left`,
      findings: left,
      run: due[0]?.id ?? null,
      sections: results.map((r) => ({ title: `Run ${r.row.id}: archived and dropped`, head: ['database', 'table', 'rows', 'archive'], rows: r.dropped })),
      next: [{ who: 'nobody', what: 'the journey has ended' }],
    };
  },
};

const endable: readonly RunState[] = ['migrated', 'rolled-back', 'cleaning'];

function requireEndable(row: RunRow): RunRow {
  if (endable.includes(row.state)) return row;
  throw new Refusal([
    block('run-not-found', `run ${row.id} is ${row.state}: there is nothing to clean`, {
      object: row.id,
      hint: row.state === 'cleaned' ? 'It was cleaned before.' : `Finish it first: run migrate again, or rollback with confirm = ${row.id}.`,
    }),
  ]);
}

const isDue = (row: RunRow, now: Date): boolean =>
  row.state === 'cleaning' || (row.retainUntil !== null && now.getTime() >= new Date(row.retainUntil).getTime());

function notDue(cx: PhaseContext, runs: readonly RunRow[]): PhaseResult {
  if (runs.length === 0) return { outcome: 'passed', sentence: 'no run is open: there is nothing to clean', findings: [], next: [] };
  const findings = runs.map((r) =>
    (cx.invocation.scheduled ? note : block)('retention-not-over', `run ${r.id} stays reversible until ${r.retainUntil ?? 'its end'}`, {
      object: r.id,
      hint: `Run cleanup on ${(r.retainUntil ?? '').slice(0, 10)} or later; nothing was changed.`,
    }),
  );
  return {
    outcome: cx.invocation.scheduled ? 'passed' : 'refused',
    sentence: `nothing is due: ${runs.map((r) => `run ${r.id} stays reversible until ${r.retainUntil ?? ''}`).join(', ')}`,
    findings,
    run: runs[0]?.id ?? null,
    next: [{ who: 'cleanup.yml', what: 'tries again every day' }],
  };
}

interface Cleaned {
  readonly row: RunRow;
  readonly dropped: readonly (readonly string[])[];
}

/** A run that is due, looked at: what speaks against its end, and what its end needs. */
interface Ready {
  readonly row: RunRow;
  readonly own: readonly Locked[];
  readonly work: Work;
  readonly rows: readonly StepRow[];
  readonly allow: ReadonlySet<string>;
  readonly refusals: readonly Finding[];
}

async function readyFor(cx: PhaseContext, locked: readonly Locked[], row: RunRow): Promise<Ready> {
  const own = await knowing(
    locked.filter((l) => databasesOfRun(row).includes(l.name)),
    row.id,
  );
  const [first] = own;
  if (first === undefined) throw new Refusal([block('run-not-found', `run ${row.id} is in no database given`, { object: row.id })]);
  const { plan, files } = await planOfRun(first.journalDb, row);
  const allow = new Set([...cx.settings.allow, ...row.allow]);
  const work = workOf(cx, {
    run: row.id,
    plan,
    arenas: await openArenas(cx, own, row.id),
    approved: row.approved,
    allow,
    maxLockMs: row.maxLockMs,
    workingDirectory: materialize(workingDirectoryOf(cx, plan), cx.scratch, row.id, files),
    quiet: (inner) => inner(false),
  });
  const rows = await rowsOf(own, row.id);
  const refusals: Finding[] = [];
  if (row.state !== 'cleaning') {
    refusals.push(...(await canCleanupAll(work, rows)));
    const last = await Journal.lastWatch(first.journalDb, row.id);
    if (row.migratedAt !== null && row.rolledBackAt === null && !isGreen(last, cx.clock.now())) {
      refusals.push(
        block('watch-not-green', last === null ? `run ${row.id} was never watched` : `the last watch of run ${row.id} was ${last.outcome} at ${last.at}`, {
          object: row.id,
          hint: 'Run phase watch; cleanup needs a green one of the last 36 hours.',
        }),
      );
    }
  }
  return { row, own, work, rows, allow, refusals };
}

/** Archives what the run kept, proved; returns the tables for the report. Refuses an archive that expires. */
async function archive(cx: PhaseContext, { row, own, work, rows, allow }: Ready): Promise<Cleaned['dropped']> {
  const retired = await retiredNow(work, rows);
  const dropped: (readonly string[])[] = [];
  for (const l of own) {
    const relations = retired.filter((r) => r.row.database === l.name).map((r) => r.relation);
    const schemas = await retiredSchemasNow(work, rows, l.name);
    const db = work.arenas[l.name]?.db;
    if (db === undefined || relations.length + schemas.length === 0) continue;
    const archived = await archiveTables(cx, l.target, relations, `${evidenceName(cx, l.name)}-archive-${row.id}`, schemas);
    if (archived.expires !== null && archived.rows + schemas.length > 0 && !allow.has('expiring-archive')) {
      throw new Refusal([
        block(
          'archive-expires',
          `the only archive of ${plural(archived.rows, 'row')}${schemas.length === 0 ? '' : ` and ${plural(schemas.length, 'schema')}`} would expire on ${archived.expires.toISOString().slice(0, 10)}`,
          {
            object: archived.name,
            hint: 'Use a store that keeps it (a directory or a bucket), or accept it with allow: expiring-archive.',
          },
        ),
      ]);
    }
    // each under its own name: a cleanup that is continued archives only what is left, and must not make the first archive be forgotten
    await l.journal.evidence(row.id, `archive ${archived.name}`, {
      name: archived.name,
      digest: archived.digest,
      bytes: archived.bytes,
      rows: archived.rows,
      expires: archived.expires?.toISOString() ?? null,
    });
    dropped.push(...archived.tables.map((t) => [l.name, t.table, String(t.rows), `${archived.name} (sha256 ${archived.digest.slice(0, 12)}…)`]));
  }
  return dropped;
}

async function drop({ row, own, work, rows }: Ready, dropped: Cleaned['dropped']): Promise<Cleaned> {
  await setRunState(own, row.id, 'cleaning');
  try {
    await cleanupAll(work, rows);
  } catch (error) {
    const failure = toFailure(error);
    // a refusal would say that nothing was changed
    throw failure.fault === 'user' ? new NotProved(failure.message, { ...failure.more, cause: failure }) : failure;
  }
  await setRunState(own, row.id, 'cleaned');
  return { row, dropped };
}
