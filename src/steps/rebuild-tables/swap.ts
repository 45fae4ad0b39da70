import { LockNotGranted, QueryFailed, UserError } from '../../errors.js';
import { captureTriggers, dropTriggers } from '../../online/capture.js';
import { drainUntil } from '../../online/drain.js';
import { fenceTriggers, guardTriggers } from '../../online/guard.js';
import { giveUp, readSwap, recordSwap, type Direction, type SwapRow } from '../../online/swap-state.js';
import { display, inControl } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, literal, render, type Sql } from '../../pg/render.js';
import { isConnectionLost } from '../../pg/sqlstate.js';
import type { StepContext } from '../step.js';
import { forwardDrain, quarantineOf, reverseCapture, reverseDrain, type Group, type KeyPlan, type Rebuilt, type Relation, type Source } from './design.js';
import { lateChecks } from './shadow.js';

/** The cut-over and its mirror: each ONE message, so that neither a slow client nor a frozen one can hold the locks (REBUILD 5.8, DECISIONS 24). */

/** With more keys than this waiting once the lock is held, the swap gives way and drains first. */
const MOST_KEYS_UNDER_LOCK = 2000;
/** Log still too long: not a failure, drain and come again. */
const NOT_YET = 'LS001';
/** The swap must not happen at all; the message says why. */
const NEVER = 'LS002';
const LOCK_TIMEOUT_MS = 150;
/** Patience with one series of attempts before the log is drained again, and altogether. */
const SERIES_MS = 1500;

const sql = fromCatalog;
const lines = (parts: readonly Sql[]): Sql => (parts.length === 0 ? sql('') : glue`${join(parts, ';\n  ')};`);
const raise = (state: string, message: string): Sql => glue`RAISE EXCEPTION USING ERRCODE = ${literal(state)}, MESSAGE = ${literal(message)}`;
const unless = (condition: Sql, state: string, message: string): Sql => glue`IF NOT (${condition}) THEN ${raise(state, message)}; END IF`;
const same = (a: Relation, b: Relation): boolean => a.schema === b.schema && a.name === b.name;

/** Tables outside the group by the lock they need: those that lose a key, and parents that only gain one. */
function neighbours(group: Group, lost: (k: KeyPlan) => boolean): { readonly exclusive: readonly Relation[]; readonly shared: readonly Relation[] } {
  const outside = (k: KeyPlan): readonly Relation[] => [...(k.childAt < 0 ? [k.child] : []), ...(k.parentAt < 0 ? [k.parent] : [])];
  const distinct = (list: readonly Relation[]): readonly Relation[] =>
    list.filter((r, i) => list.findIndex((x) => same(x, r)) === i).sort((a, b) => (display(a) < display(b) ? -1 : 1));
  const exclusive = distinct(group.keys.filter(lost).flatMap(outside));
  return { exclusive, shared: distinct(group.keys.flatMap(outside)).filter((r) => !exclusive.some((x) => same(x, r))) };
}

const printOf = (oid: Sql): Sql => glue`(SELECT p.print FROM (${render('rebuild-tables/fingerprint', { parts: { oid } })}) p)`;
const oidOf = (r: Relation): Sql => glue`pg_catalog.to_regclass(${literal(ident(r))})::oid`;

export const fingerprint = async (db: Pick<Db, 'one'>, table: Relation): Promise<string> =>
  (await db.one<{ print: string }>('rebuild-tables/fingerprint', { parts: { oid: oidOf(table) } })).print;

/** Refuses, before anything is changed, when a table is not as it was, a key could not be read, or too many keys wait. */
function checks(cx: StepContext, group: Group, prints: readonly string[], log: (t: Rebuilt) => Relation): readonly Sql[] {
  const parts: Sql[] = group.tables.flatMap((t, i) => [
    unless(glue`${printOf(oidOf(t.table))} = ${literal(prints[i] ?? '')}`, NEVER, `the definition of ${display(t.table)} was changed since the run began`),
    unless(
      glue`NOT EXISTS (SELECT FROM ${ident(log(t))} WHERE op = 'X')`,
      NEVER,
      `key columns of ${display(t.table)} were changed, so some writes could not be followed`,
    ),
  ]);
  const total = join(
    group.tables.map((t) => glue`(SELECT pg_catalog.count(*) FROM ${ident(log(t))})`),
    ' + ',
  );
  parts.push(glue`waiting := ${total}`, unless(sql(`waiting <= ${String(MOST_KEYS_UNDER_LOCK)}`), NOT_YET, 'too many keys wait'));
  if (cx.plan.strict) {
    const older = sql(
      'NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_xmin IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT l.granted))',
    );
    parts.push(unless(older, '55P03', 'strict: another session still has a snapshot'));
  }
  return parts;
}

const dropKey = (k: KeyPlan): Sql => glue`ALTER TABLE ${ident(k.child)} DROP CONSTRAINT ${ident(k.name)}`;
const addKey = (k: KeyPlan, definition: string): readonly Sql[] => [
  glue`ALTER TABLE ${ident(k.child)} ADD CONSTRAINT ${ident(k.name)} ${sql(definition)} NOT VALID`,
  ...(k.comment === null ? [] : [glue`COMMENT ON CONSTRAINT ${ident(k.name)} ON ${ident(k.child)} IS ${literal(k.comment)}`]),
];
const sequenceIn = (t: Rebuilt, schema: string, name: string): Sql => ident({ schema: schema === t.table.schema ? t.table.schema : schema, name });

/** Old tables out, shadows in, under approved numbers of set-aside rows; capture of the other direction, guard and fence in the same transaction. */
function forwardActs(cx: StepContext, group: Group, sources: readonly Source[]): readonly Sql[] {
  const acts: Sql[] = [...group.keys.filter((k) => k.before !== null).map(dropKey)];
  for (const t of group.tables) {
    acts.push(...dropTriggers(cx.run, t.table, ['capture', 'capture_t']));
    for (const s of t.sequences.filter((x) => x.kind === 'serial')) acts.push(glue`ALTER SEQUENCE ${sequenceIn(t, s.schema, s.name)} OWNED BY NONE`);
    acts.push(glue`ALTER TABLE ${ident(t.table)} SET SCHEMA ${ident(t.old.schema)}`, glue`ALTER TABLE ${ident(t.shadow)} SET SCHEMA ${ident(t.table.schema)}`);
    for (const s of t.sequences) {
      const name = sequenceIn(t, s.schema, s.name);
      if (s.kind === 'serial')
        acts.push(glue`ALTER SEQUENCE ${name}${s.widen === null ? sql('') : glue` AS ${sql(s.widen)}`} OWNED BY ${ident(t.table)}.${ident(s.column)}`);
      else acts.push(glue`PERFORM pg_catalog.setval(${literal(name)}, s.last_value, s.is_called) FROM ${ident({ schema: t.old.schema, name: s.name })} s`);
    }
  }
  for (const k of group.keys) acts.push(...addKey(k, k.after.definition));
  for (const [i, t] of group.tables.entries()) {
    const source = sources[i];
    if (source !== undefined) acts.push(...lateChecks(t, source));
    acts.push(...captureTriggers(reverseCapture(cx.run, t)), ...guardTriggers(cx.run, t.oid, t.table), ...fenceTriggers(cx.run, t.oid, t.old));
  }
  return acts;
}

/** The mirror: new tables out and fenced, old ones in and guarded, keys as they were (validated afterwards), sequences never behind. */
function backActs(cx: StepContext, group: Group): readonly Sql[] {
  const acts: Sql[] = [...group.keys.map(dropKey)];
  for (const t of group.tables) {
    acts.push(...dropTriggers(cx.run, t.table, ['capture', 'capture_t', 'guard']), ...dropTriggers(cx.run, t.old, ['fence_s', 'fence_r']));
    for (const s of t.sequences.filter((x) => x.kind === 'serial')) acts.push(glue`ALTER SEQUENCE ${sequenceIn(t, s.schema, s.name)} OWNED BY NONE`);
    acts.push(glue`ALTER TABLE ${ident(t.table)} SET SCHEMA ${ident(t.shadow.schema)}`, glue`ALTER TABLE ${ident(t.old)} SET SCHEMA ${ident(t.table.schema)}`);
    for (const s of t.sequences) {
      const name = sequenceIn(t, s.schema, s.name);
      if (s.kind === 'serial')
        acts.push(glue`ALTER SEQUENCE ${name}${s.widen === null ? sql('') : glue` AS ${sql(s.type)}`} OWNED BY ${ident(t.table)}.${ident(s.column)}`);
      else acts.push(glue`PERFORM pg_catalog.setval(${literal(name)}, s.last_value, s.is_called) FROM ${ident({ schema: t.shadow.schema, name: s.name })} s`);
    }
  }
  for (const k of group.keys) if (k.before !== null) acts.push(...addKey(k, k.before.definition));
  for (const t of group.tables) acts.push(...guardTriggers(cx.run, t.oid, t.table), ...fenceTriggers(cx.run, t.oid, t.shadow));
  return acts;
}

/** Rows set aside while copying and draining may not be more than approved, judged again under the lock. */
function quarantineChecks(cx: StepContext, group: Group): readonly Sql[] {
  return group.tables
    .filter((t) => t.converts)
    .map((t) => {
      const limit = t.unfit === 'quarantine' ? (cx.approved?.[`${t.written}.conversion`] ?? 0) : 0;
      const q = ident(quarantineOf(cx.run, t));
      return unless(
        glue`(SELECT pg_catalog.count(*) FROM ${q} WHERE lossless_reason = 'conversion') <= ${sql(String(limit))} AND NOT EXISTS (SELECT FROM ${q} WHERE lossless_reason = 'key')`,
        NEVER,
        `rows of ${display(t.table)} that do not fit the new types are more than were approved (${String(limit)})`,
      );
    });
}

function message(cx: StepContext, group: Group, direction: Direction, prints: readonly string[], sources: readonly Source[], version: number): readonly Sql[] {
  const forward = direction === 'forward';
  const log = (t: Rebuilt): Relation => inControl(forward ? 'log' : 'rlog', cx.run, t.oid);
  const { exclusive, shared } = neighbours(group, (k) => (forward ? k.before !== null : true));
  const own = group.tables.flatMap((t) => [t.table, forward ? t.shadow : t.old]);
  const locks = [
    glue`LOCK TABLE ${join([...exclusive, ...group.tables.map((t) => t.table)].map((r) => ident(r)))} IN ACCESS EXCLUSIVE MODE`,
    ...(shared.length === 0 ? [] : [glue`LOCK TABLE ${join(shared.map((r) => ident(r)))} IN SHARE ROW EXCLUSIVE MODE`]),
    glue`LOCK TABLE ${join(own.map((r) => ident(r)))} IN ACCESS EXCLUSIVE MODE`,
  ];
  const body = render('rebuild-tables/swap-body', {
    parts: {
      tag: sql(`$lossless_${cx.run.replace(/\W/g, '')}$`),
      locks: lines(locks),
      checks: lines(checks(cx, group, prints, log)),
      drains: lines(group.tables.map((t) => glue`PERFORM ${ident((forward ? forwardDrain(cx.run, t) : reverseDrain(cx.run, t)).fn)}(2147483647)`)),
      after_drain: lines(forward ? quarantineChecks(cx, group) : []),
      acts: lines(forward ? forwardActs(cx, group, sources) : backActs(cx, group)),
      record: lines([recordSwap(cx.run, cx.stepId, direction)]),
    },
  });
  return [
    sql('BEGIN ISOLATION LEVEL READ COMMITTED'),
    sql("SET LOCAL synchronous_commit = 'on'"),
    ...(version >= 170_000 ? [sql(`SET LOCAL transaction_timeout = ${String(cx.budget.maxLockMs + 4000)}`)] : []),
    sql("SET LOCAL lock_timeout = '3s'"),
    glue`LOCK TABLE ${join(group.tables.map((t) => ident(t.table)))} IN SHARE UPDATE EXCLUSIVE MODE`,
    sql(`SET LOCAL lock_timeout = ${String(Math.min(LOCK_TIMEOUT_MS, cx.budget.maxLockMs))}`),
    sql(`SET LOCAL statement_timeout = ${String(cx.budget.maxLockMs)}`),
    body,
    sql('COMMIT'),
    sql("SELECT pg_catalog.set_config('lossless.swap_ended', pg_catalog.clock_timestamp()::text, false)"),
  ];
}

/**
 * Makes the swap happen exactly once, or throws and it has not happened. Between series of attempts the logs are drained online.
 * Errors: LockNotGranted naming the blockers; UserError when the tables are not as they were or too many rows do not fit.
 */
export async function swap(cx: StepContext, group: Group, direction: Direction, prints: readonly string[], sources: readonly Source[]): Promise<SwapRow> {
  const patienceMs = cx.budget.patienceMs ?? 60_000;
  const object = group.tables.map((t) => display(t.table)).join(', ');
  const drains = group.tables.map((t) => (direction === 'forward' ? forwardDrain(cx.run, t) : reverseDrain(cx.run, t)));
  const until = Date.now() + patienceMs;
  return cx.db.session('swap', async (session) => {
    const parts = message(cx, group, direction, prints, sources, session.version);
    cx.report({ type: 'sql', step: cx.stepId, text: parts.join(';\n') });
    for (;;) {
      for (const drain of drains) await drainUntil(cx.db, drain, { until: 200 });
      cx.report({ type: 'swap', step: cx.stepId, moment: 'before' });
      const sending = session.message(parts, { about: `swap of ${object}`, patienceMs: Math.min(SERIES_MS, patienceMs) });
      cx.report({ type: 'swap', step: cx.stepId, moment: 'sent' });
      try {
        await sending;
        cx.report({ type: 'swap', step: cx.stepId, moment: 'after' });
        const { ms } = await session.one<{ ms: number }>('rebuild-tables/swap-ended', { values: [cx.run, cx.stepId, direction] });
        cx.report({ type: 'lock-held', step: cx.stepId, object, ms: Math.ceil(ms) });
        break;
      } catch (error) {
        if (error instanceof QueryFailed && isConnectionLost(error.sqlstate)) {
          const row = await cx.db.session('worker', (db) => giveUp(db, cx.run, cx.stepId, direction));
          if (row?.state === 'swapped') return row;
          throw error;
        }
        if (error instanceof QueryFailed && error.sqlstate === NEVER)
          throw new UserError(`the swap of ${object} was refused: ${error.message}`, {
            hint: 'Nothing was replaced. Undo the run, look at what changed, and begin anew.',
            cause: error,
          });
        const again = (error instanceof QueryFailed && error.sqlstate === NOT_YET) || error instanceof LockNotGranted;
        if (!again || Date.now() > until) throw error;
        await cx.clock.sleep(100 + Math.random() * 900, cx.signal);
      }
    }
    const row = await readSwap(session, cx.run, cx.stepId, direction);
    if (row === null) throw new UserError(`the swap of ${object} left no trace`, { hint: 'Run the phase again.' });
    return row;
  });
}
