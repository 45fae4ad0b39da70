// Application clients beside a migration, in a process of their own so that the work measured does not delay them. Run by fork() with a JSON argument:
// { url, clients, rate (statements per second of all clients, 0: as fast as they can), exports, users, projects }. Messages: { window } begins a window, { stop } ends.
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { fork } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import pg from 'pg';

const uuid = (text) =>
  createHash('md5')
    .update(text)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const user = (i) => `user_${createHash('md5').update(`u${i}`).digest('hex').slice(0, 24)}`;

const statements = {
  update: `WITH u AS (UPDATE app.exports SET progress = $2::int, status = 'processing', file_size = $3::bigint, updated_at = now() WHERE id = $1 RETURNING id::text AS id)
    INSERT INTO app.writes (op, id, v) SELECT 'u', id::uuid, $3::bigint FROM u`,
  insert: `WITH e AS (INSERT INTO app.exports (user_id, project_id, render_id, file_size, metadata) VALUES ($1, $2, $3, $4::bigint, '{"codec": "h264"}') RETURNING id),
    a AS (INSERT INTO app.export_analytics (export_id, event, data) SELECT id, 'view', '{"ms": 1}' FROM e RETURNING id)
    INSERT INTO app.writes (op, id, v) SELECT 'i', id::text::uuid, $4::bigint FROM e UNION ALL SELECT 'a', id, $4::bigint FROM a`,
  delete: `WITH d AS (DELETE FROM app.exports WHERE id = $1 RETURNING id::text AS id) INSERT INTO app.writes (op, id, v) SELECT 'd', id::uuid, 0 FROM d`,
  select: `SELECT id, status, progress, output_url, file_size, metadata, updated_at FROM app.exports WHERE id = $1`,
};

function next(settings) {
  const dice = Math.random();
  const key = uuid(`e${randomInt(1, settings.exports + 1)}`);
  const value = randomInt(1, 2 ** 47);
  if (dice < 0.5) return [statements.update, [key, randomInt(0, 101), value]];
  if (dice < 0.7)
    return [statements.insert, [user(randomInt(1, settings.users + 1)), uuid(`p${randomInt(1, settings.projects + 1)}`), `render_${value}_${dice}`, value]];
  if (dice < 0.75) return [statements.delete, [key]];
  return [statements.select, [key]];
}

async function work(settings) {
  const windows = new Map();
  let current = 'none';
  let stopped = false;
  const windowOf = (name) => windows.get(name) ?? windows.set(name, { from: performance.now(), to: 0, latencies: [], errors: {} }).get(name);
  const client = async () => {
    const connection = new pg.Client({ connectionString: settings.url, application_name: 'bench writer' });
    connection.on('error', () => undefined);
    await connection.connect();
    const interval = settings.rate === 0 ? 0 : (1000 * settings.clients) / settings.rate;
    let due = performance.now() + Math.random() * interval;
    while (!stopped) {
      const wait = due - performance.now();
      if (interval > 0 && wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      if (stopped) break;
      const window = windowOf(current);
      const began = performance.now();
      try {
        await connection.query(...next(settings));
        window.latencies.push(performance.now() - began);
      } catch (error) {
        window.errors[error.code ?? 'none'] = (window.errors[error.code ?? 'none'] ?? 0) + 1;
      }
      // no catching up after a stall: that would measure the backlog of the bench, not of the server
      due = Math.max(due + interval, performance.now());
    }
    await connection.end();
  };
  const all = Array.from({ length: settings.clients }, client);
  // the benchmark failed: nobody waits for figures any more
  process.on('disconnect', () => process.exit(1));
  process.on('message', (message) => {
    if (windows.has(current)) windowOf(current).to = performance.now();
    if (message.stop) stopped = true;
    else {
      current = message.window;
      windowOf(current);
      process.send({ began: current });
    }
  });
  process.send({ began: current });
  await Promise.all(all);
  const result = {};
  for (const [name, { from, to, latencies, errors }] of windows) {
    const sorted = latencies.sort((a, b) => a - b);
    result[name] = {
      count: sorted.length,
      perSecond: (sorted.length * 1000) / (to - from),
      p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
      longest: sorted.at(-1) ?? 0,
      errors,
    };
  }
  await new Promise((resolve) => process.send({ result }, resolve));
  process.removeAllListeners('disconnect');
  process.disconnect();
}

/** Starts the clients; `window(name)` begins a new window, `stop()` ends them and returns per window count, perSecond, p99 and longest (ms), and errors by SQLSTATE; `leave()` ends them without an answer. */
export async function startWriters(settings) {
  const child = fork(new URL(import.meta.url), [JSON.stringify(settings)]);
  const answer = (field) =>
    new Promise((resolve, reject) => {
      const heard = (message) => {
        if (!(field in message)) return;
        child.off('message', heard);
        child.off('exit', ended);
        resolve(message[field]);
      };
      const ended = (code) => reject(new Error(`the writers ended early with ${code}`));
      child.on('message', heard);
      child.once('exit', ended);
    });
  await answer('began');
  return {
    window: async (name) => {
      const began = answer('began');
      child.send({ window: name });
      await began;
    },
    stop: async () => {
      const result = answer('result');
      child.send({ stop: true });
      return result;
    },
    leave: () => {
      if (child.connected) child.disconnect();
    },
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await work(JSON.parse(process.argv[2]));
