// The step `rebuild-tables` on the data set of the benchmarks, driven as a phase drives it but without a journal: only the engine is measured.
import { performance } from 'node:perf_hooks';
import { connect } from '../lib/pg/db.js';
import { parseTarget } from '../lib/pg/connect.js';
import { rebuildTables } from '../lib/steps/rebuild-tables/step.js';

export const maxLockMs = 1000;

const spec = {
  'app.exports': {
    columns: { id: { type: 'uuid', default: 'gen_random_uuid()' }, user_id: { type: 'varchar(64)' }, project_id: { type: 'uuid' } },
    'foreign-keys': { exports_project_id_fkey: { columns: ['project_id'], references: 'app.projects(id)' } },
  },
  'app.export_analytics': { columns: { export_id: { type: 'uuid' } } },
};

const clock = { now: () => new Date(), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) };
const none = (path) => {
  throw new Error(`the plan does not name ${path}`);
};

/** Wraps a Db so that every statement's beginning and end are noted under its name, in the sessions it opens too. */
function watched(db, note) {
  return new Proxy(db, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key === 'transaction') return (work, options) => target.transaction((tx) => work(watched(tx, note)), options);
      if (key === 'session') return (kind, work) => target.session(kind, (session) => work(watched(session, note)));
      if (key !== 'rows' && key !== 'one' && key !== 'change' && key !== 'select' && key !== 'message') return value.bind(target);
      return async (...args) => {
        const from = performance.now();
        try {
          return await value.apply(target, args);
        } finally {
          note(key === 'message' ? (args[1]?.about ?? 'message') : key === 'select' ? 'select' : args[0], from, performance.now());
        }
      };
    },
  });
}

/** Milliseconds covered by at least one of the intervals. */
function covered(intervals) {
  let total = 0;
  let end = -Infinity;
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    total += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return total;
}

/**
 * One run of the step on a database. `preflight`, `apply`, `tend` (one watch: carries what was written since back to the retired side) and `undo` are the step's;
 * `msOf(name)` says how long at least one statement of that file under sql/ ran, `timesOf(name)` how many did; `longestLockMs` what the step itself reported.
 */
export async function rebuild(url, { workers = 2 } = {}) {
  const abort = new AbortController();
  const locks = [];
  const statements = [];
  const report = (event) => {
    if (event.type === 'lock-held') locks.push(event.ms);
  };
  const { db, close } = await connect(parseTarget(url, 'production', 'production-url', ''), 'worker', {
    report,
    signal: abort.signal,
    clock,
    name: 'lossless bench',
  });
  const slot = {
    last: null,
    save: async (receipt) => {
      slot.last = JSON.parse(JSON.stringify(receipt));
    },
  };
  const cx = {
    db: watched(db, (name, from, to) => statements.push({ name, from, to })),
    stepId: 'bench',
    run: 'rbench001',
    plan: { schemas: ['app'], recycleConnections: false, strict: false },
    files: { names: [], text: none, bytes: none },
    budget: { maxLockMs, workers },
    clock,
    report,
    signal: abort.signal,
    allow: new Set(),
    approved: {},
    exec: () => Promise.reject(new Error('the benchmark runs no commands')),
    workingDirectory: '.',
    quiet: (work) => work(false),
    past: () => Promise.resolve([]),
  };
  const parsed = rebuildTables.schema.parse(spec);
  const named = (name) => statements.filter((s) => s.name === name);
  return {
    async preflight() {
      const { findings } = await rebuildTables.preflight(cx, parsed);
      const stop = findings.filter((f) => f.severity === 'block');
      if (stop.length > 0) throw new Error(stop.map((f) => f.message).join('\n'));
    },
    apply: () => rebuildTables.apply(cx, parsed, slot),
    tend: () => rebuildTables.watch(cx, parsed, slot.last),
    undo: () => rebuildTables.undo(cx, parsed, slot.last),
    longestLockMs: () => Math.max(0, ...locks),
    tables: Object.keys(spec).length,
    msOf: (name) => covered(named(name).map((s) => [s.from, s.to])),
    timesOf: (name) => named(name).length,
    async close() {
      abort.abort();
      await close();
    },
  };
}
