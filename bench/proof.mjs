// How dear proof is: the checksum of a table beside counting it, and the proof that every converted row is right beside the copying of it.
// npm run bench:proof -- --scale 0.05 [--rounds 5] [--save]
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { parseTarget } from '../lib/pg/connect.js';
import { connect } from '../lib/pg/db.js';
import { contents } from '../lib/proof/contents.js';
import { bar, conclude, median } from './bars.mjs';
import { rebuild } from './rebuild-step.mjs';
import { startServer } from './server.mjs';

const { values } = parseArgs({
  options: { scale: { type: 'string', default: '0.05' }, rounds: { type: 'string', default: '5' }, save: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
const exportsTable = { schema: 'app', name: 'exports' };

const timed = async (work) => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};

/** Checksum and count of one table, in turns, after one of each that warms the cache. */
async function checksum(server, database) {
  const target = parseTarget(server.url(database), 'production', 'production-url', '');
  const { db, close } = await connect(target, 'reader', {
    report: () => undefined,
    signal: new AbortController().signal,
    clock: { now: () => new Date(), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) },
    name: 'lossless bench',
  });
  const sums = [];
  const counts = [];
  try {
    for (let i = 0; i <= rounds; i += 1) {
      const sum = await timed(() => db.transaction((tx) => contents(tx, [exportsTable]), { isolation: 'repeatable read', readOnly: true }));
      // an index-only scan of some narrow index would not read the table at all
      const count = await timed(() => server.query(database, 'SET enable_indexonlyscan = off; SELECT count(*) FROM app.exports'));
      if (i > 0) {
        sums.push(sum);
        counts.push(count);
      }
    }
  } finally {
    await close();
  }
  return { sum: median(sums), count: median(counts) };
}

const server = await startServer();
try {
  await server.load(values.scale);
  const base = await server.clone();
  const { sum: checksumMs, count } = await checksum(server, base);
  await server.drop(base);
  const ratios = [];
  const copies = [];
  const proofs = [];
  for (let i = 0; i < Math.min(rounds, 3); i += 1) {
    const name = await server.clone();
    const run = await rebuild(server.url(name));
    await run.apply();
    const copied = run.msOf('rebuild-tables/copy-chunk');
    // whole tables while nothing waits in the log, else without the keys that wait
    const forms = ['rebuild-tables/compare-whole', 'rebuild-tables/compare'];
    const sum = (of) => forms.reduce((n, form) => n + of(form), 0);
    const proved = sum((form) => run.msOf(form)) / sum((form) => run.timesOf(form));
    ratios.push((proved * run.tables) / copied);
    copies.push(copied);
    proofs.push(proved * run.tables);
    await run.close();
    await server.drop(name);
  }
  conclude(
    'bench/proof',
    [
      bar('checksum of a table / count(*) of its heap, each with one parallel worker', checksumMs / count, { atMost: 4 }),
      bar('whole-group proof of convert(old) = new / copy', median(ratios), { atMost: 0.6 }),
      bar('checksum of app.exports', checksumMs, { unit: 'ms' }),
      bar('count(*) of app.exports, reading the table', count, { unit: 'ms' }),
      bar('copy of the group', median(copies), { unit: 'ms' }),
      bar('proof of the group', median(proofs), { unit: 'ms' }),
    ],
    values,
  );
} finally {
  await server.remove();
}
