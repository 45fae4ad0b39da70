import { block, note, type Finding } from '../finding.js';
import { isGreen, Journal, type RunRow } from '../journal/journal.js';
import { archiveTables } from '../backup/archive.js';
import { canCleanupAll, cleanupAll, retiredNow, retiredSchemasNow } from '../steps/all.js';
import { lockDatabases, openArenas, plural, rowsOf, setRunState, targetOf, workOf, type Locked } from './arenas.js';
import { evidenceName } from './evidence.js';
import { allRuns, databasesOfRun, locateRun } from './locate-run.js';
import { materialize, workingDirectoryOf } from './maintenance.js';
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
    const now = cx.clock.now();
    const open = (await allRuns(cx)).map((k) => k.row).filter((r) => ['migrated', 'rolled-back', 'cleaning'].includes(r.state));
    const wanted = confirm === '' ? open : [await cleanable(cx, confirm)];
    const due = wanted.filter((r) => isDue(r, now));
    if (due.length === 0) return notDue(cx, wanted);
    const names = (['production', 'development'] as const).filter((name) => due.some((r) => databasesOfRun(r).includes(name)));
    const locked = await lockDatabases(cx, names);
    const results: Cleaned[] = [];
    for (const row of [...due].sort((a, b) => a.startedAt.localeCompare(b.startedAt))) results.push(await cleanRun(cx, locked, row));
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

async function cleanable(cx: PhaseContext, id: string): Promise<RunRow> {
  const row = await locateRun(cx, id);
  if (['migrated', 'rolled-back', 'cleaning'].includes(row.state)) return row;
  throw new Refusal([
    block('run-not-found', `run ${id} is ${row.state}: there is nothing to clean`, {
      object: id,
      hint: row.state === 'cleaned' ? 'It was cleaned before.' : `Finish it first: run migrate again, or rollback with confirm = ${id}.`,
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

async function cleanRun(cx: PhaseContext, locked: readonly Locked[], row: RunRow): Promise<Cleaned> {
  for (const name of databasesOfRun(row)) targetOf(cx, name);
  const own = locked.filter((l) => databasesOfRun(row).includes(l.name));
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
  if (row.state !== 'cleaning') {
    const refusals: Finding[] = [...(await canCleanupAll(work, rows))];
    const last = await Journal.lastWatch(first.journalDb, row.id);
    if (row.migratedAt !== null && row.rolledBackAt === null && !isGreen(last, cx.clock.now())) {
      refusals.push(
        block('watch-not-green', last === null ? `run ${row.id} was never watched` : `the last watch of run ${row.id} was ${last.outcome} at ${last.at}`, {
          object: row.id,
          hint: 'Run phase watch; cleanup needs a green one of the last 36 hours.',
        }),
      );
    }
    refuseIfBlocked(refusals);
  }
  const retired = await retiredNow(work, rows);
  const dropped: (readonly string[])[] = [];
  for (const l of own) {
    const relations = retired.filter((r) => r.row.database === l.name).map((r) => r.relation);
    const schemas = await retiredSchemasNow(work, rows, l.name);
    const db = work.arenas[l.name]?.db;
    if (db === undefined || relations.length + schemas.length === 0) continue;
    const archive = await archiveTables(cx, l.target, relations, `${evidenceName(cx, l.name)}-archive-${row.id}`, schemas);
    if (archive.expires !== null && archive.rows + schemas.length > 0 && !allow.has('expiring-archive')) {
      throw new Refusal([
        block(
          'archive-expires',
          `the only archive of ${plural(archive.rows, 'row')}${schemas.length === 0 ? '' : ` and ${plural(schemas.length, 'schema')}`} would expire on ${archive.expires.toISOString().slice(0, 10)}`,
          {
            object: archive.name,
            hint: 'Use a store that keeps it (a directory or a bucket), or accept it with allow: expiring-archive.',
          },
        ),
      ]);
    }
    await l.journal.evidence(row.id, 'archive', {
      name: archive.name,
      digest: archive.digest,
      bytes: archive.bytes,
      rows: archive.rows,
      expires: archive.expires?.toISOString() ?? null,
    });
    dropped.push(...archive.tables.map((t) => [l.name, t.table, String(t.rows), `${archive.name} (sha256 ${archive.digest.slice(0, 12)}…)`]));
  }
  await setRunState(own, row.id, 'cleaning');
  await cleanupAll(work, rows);
  await setRunState(own, row.id, 'cleaned');
  return { row, dropped };
}
