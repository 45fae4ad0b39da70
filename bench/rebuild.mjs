// The rebuild of a group of tables beside plain ALTER TABLE and the seed's copy-and-rename: time, WAL, stalls of writers, lost writes, the way back.
// npm run bench:rebuild -- --scale 0.05 [--rounds 3] [--seconds 10] [--save]
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { bar, conclude, median } from './bars.mjs';
import { maxLockMs, rebuild } from './rebuild-step.mjs';
import { startServer } from './server.mjs';
import { startWriters } from './writers.mjs';

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: '0.05' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    save: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const scale = Number(values.scale);
const sql = (name) => readFileSync(new URL(`${name}.sql`, import.meta.url), 'utf8');
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clients = 8;
const rated = 200;

const server = await startServer();
const at = (n) => Math.max(1, Math.round(n * scale));
const writersOn = (database, rate) =>
  startWriters({ url: server.url(database), clients, rate, exports: at(3_000_000), users: at(200_000), projects: at(500_000) });
const lostIn = async (database) => (await server.query(database, sql('lost-writes'))).rows[0];
const script = (database, name) => server.query(database, sql(name));

/** Work on a fresh copy of the data set, which is dropped afterwards. */
async function onClone(work) {
  const name = await server.clone();
  try {
    return await work(name);
  } finally {
    await server.drop(name);
  }
}

async function withStep(database, work) {
  const step = await rebuild(server.url(database));
  try {
    return await work(step);
  } finally {
    await step.close();
  }
}

/** Nobody writes: time and WAL of ours (after its preflight, which only reads) and of ALTER TABLE, in turns. */
async function idle() {
  const ours = [];
  const alter = [];
  const preflights = [];
  for (let i = 0; i < rounds; i += 1) {
    alter.push(await onClone((name) => server.measure(() => script(name, 'alter-table'))));
    const run = await onClone((name) =>
      withStep(name, async (step) => {
        preflights.push((await server.measure(() => step.preflight())).ms);
        return server.measure(() => step.apply());
      }),
    );
    ours.push(run);
  }
  const ratio = (of) => median(ours.map((run, i) => of(run) / of(alter[i])));
  return {
    wall: ratio((r) => r.ms),
    wal: ratio((r) => r.wal),
    oursMs: median(ours.map((r) => r.ms)),
    alterMs: median(alter.map((r) => r.ms)),
    preflightMs: median(preflights),
  };
}

/** Clients write before and while `work` runs; what they saw, and which acknowledged writes the tables do not hold in the end. */
async function underLoad(database, rate, work) {
  const writers = await writersOn(database, rate);
  try {
    await rest(1000);
    await writers.window('before');
    await rest(seconds * 1000);
    await writers.window('during');
    await work(writers);
    await writers.window('after');
    await rest(1000);
    const seen = await writers.stop();
    return { ...seen, ...(await lostIn(database)) };
  } finally {
    writers.leave();
  }
}

/** The way back after a fixed number of changed keys, with clients writing throughout. */
async function wayBack(database) {
  return withStep(database, async (step) => {
    await step.apply();
    const changed = at(1_000_000);
    await server.query(
      database,
      `WITH u AS (UPDATE app.exports SET file_size = 1 + coalesce(file_size, 0) WHERE ctid IN (SELECT ctid FROM app.exports LIMIT ${changed}) RETURNING id, file_size)
       INSERT INTO app.writes (op, id, v) SELECT 'u', id, file_size FROM u`,
    );
    const before = step.msOf('online/drain');
    const { drained } = await step.tend();
    const keysPerSecond = drained / ((step.msOf('online/drain') - before) / 1000);
    const seen = await underLoad(database, rated, () => step.undo());
    return { drained, keysPerSecond, ...seen };
  });
}

const errors = (windows) =>
  Object.entries(windows)
    .flatMap(([window, { errors: seen }]) => Object.entries(seen ?? {}).map(([code, n]) => `${n} × ${code} ${window}`))
    .join(', ') || 'none';

try {
  await server.load(values.scale);
  const quiet = await idle();
  const ours = await onClone((name) => withStep(name, (step) => underLoad(name, rated, () => step.apply())));
  const alter = await onClone((name) => underLoad(name, rated, () => script(name, 'alter-table')));
  const seed = await onClone((name) => underLoad(name, rated, () => script(name, 'copy-and-rename')));
  const full = await onClone((name) => withStep(name, (step) => underLoad(name, 0, () => step.apply())));
  const back = await onClone(wayBack);
  const windows = ({ before, during, after }) => ({ before, during, after });
  conclude(
    'bench/rebuild',
    [
      bar('wall / ALTER TABLE, idle, 2 connections', quiet.wall, { atMost: 0.8 }),
      bar('WAL / ALTER TABLE', quiet.wal, { atMost: 1.1 }),
      bar('longest stall of 8 rate-limited clients', ours.during.longest, { atMost: 50, unit: 'ms' }),
      bar('the same, against max-lock', ours.during.longest, { atMost: maxLockMs, unit: 'ms' }),
      bar('longest wait of a client before anything runs', ours.before.longest, { unit: 'ms' }),
      bar('longest stall under ALTER TABLE', alter.during.longest, { unit: 'ms' }),
      bar("clients' p99 while rebuilding / before", ours.during.p99 / ours.before.p99, { atMost: 2 }),
      bar("clients' throughput at full rate while rebuilding / before", full.during.perSecond / full.before.perSecond, {
        atLeast: cpus().length > 2 ? 0.85 : 0.6,
      }),
      bar('lost writes, ours', ours.lost + full.lost, { atMost: 0, note: `of ${ours.writes + full.writes}` }),
      bar('lost writes, ALTER TABLE', alter.lost, { atMost: 0, note: `of ${alter.writes}` }),
      bar("lost writes, the seed's copy and rename", seed.lost, { note: `of ${seed.writes}` }),
      bar('drain for the way back, keys per second', back.keysPerSecond, { atLeast: 50_000, note: `${back.drained} keys` }),
      bar('longest stall of the way back', back.during.longest, { atMost: 50, unit: 'ms' }),
      bar('lost writes after the way back', back.lost, { atMost: 0, note: `of ${back.writes}` }),
      bar('ALTER TABLE, idle', quiet.alterMs, { unit: 'ms' }),
      bar('ours, idle', quiet.oursMs, { unit: 'ms' }),
      bar('preflight of ours, idle', quiet.preflightMs, { unit: 'ms' }),
    ],
    {
      ...values,
      notes: [
        `errors the clients saw: ours ${errors(windows(ours))}; full rate ${errors(windows(full))}; ALTER TABLE ${errors(windows(alter))}; the way back ${errors(windows(back))}`,
        ...(scale < 1 ? ['The bars of time and WAL are meant for scale 1: below it the fixed cost of some hundred small statements weighs more.'] : []),
      ],
    },
  );
} finally {
  await server.remove();
}
