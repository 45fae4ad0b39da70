// A private server for one benchmark: loopback and socket only, durable as production is, removed at the end.
import { performance } from 'node:perf_hooks';
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

const installed = '/usr/lib/postgresql';

function findBin() {
  if (process.env.PGBIN) return process.env.PGBIN;
  const majors = existsSync(installed) ? readdirSync(installed).map(Number) : [];
  const newest = majors.filter((n) => n >= 14 && existsSync(join(installed, String(n), 'bin', 'initdb'))).sort((a, b) => b - a)[0];
  if (newest === undefined)
    throw new Error('no PostgreSQL server found: run `npm test` once, which installs one, or set PGBIN to a directory that holds initdb');
  return join(installed, String(newest), 'bin');
}

/** A server refuses to run as root: then it runs as the package's own user. */
function serverUser() {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((l) => l.startsWith('postgres:'));
  if (line === undefined) throw new Error('user postgres does not exist');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/** @param settings further `name=value` settings of the server */
export async function startServer(settings = []) {
  const bin = findBin();
  const dir = mkdtempSync(join(tmpdir(), 'lossless-bench-'));
  const as = serverUser();
  if (as.uid !== undefined) chownSync(dir, as.uid, as.gid);
  const options = { ...as, cwd: dir, stdio: 'pipe', env: { PATH: process.env.PATH, HOME: dir, LC_ALL: 'C.UTF-8', TZ: 'UTC' } };
  execFileSync(join(bin, 'initdb'), ['-D', 'data', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], options);
  const flags = [
    'listen_addresses=',
    `unix_socket_directories=${dir}`,
    'max_connections=100',
    'shared_buffers=2GB',
    'max_wal_size=8GB',
    'checkpoint_timeout=30min',
    'max_parallel_workers_per_gather=1',
    ...settings,
  ];
  const server = spawn(join(bin, 'postgres'), ['-D', 'data', '-p', '5432', ...flags.flatMap((f) => ['-c', f])], { ...options, stdio: 'ignore' });
  const url = (database, user = 'app') => `postgres://${user}@localhost/${database}?host=${encodeURIComponent(dir)}&port=5432`;
  const remove = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  const query = async (database, sql, values, user = 'app') => {
    const client = new pg.Client({ connectionString: url(database, user) });
    await client.connect();
    try {
      return await client.query(sql, values);
    } finally {
      await client.end();
    }
  };
  for (let i = 0; ; i += 1) {
    try {
      await query('postgres', 'SELECT 1', undefined, 'postgres');
      break;
    } catch (error) {
      if (i > 200 || server.exitCode !== null) {
        await remove();
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await query(
    'postgres',
    'CREATE ROLE app LOGIN CREATEDB; GRANT pg_read_all_stats TO app; GRANT EXECUTE ON FUNCTION pg_current_wal_lsn() TO app',
    undefined,
    'postgres',
  );
  let clones = 0;
  return {
    url,
    query,
    remove,
    /** Loads the data set once into a template database. */
    async load(scale) {
      await query('postgres', 'CREATE DATABASE dataset OWNER app', undefined, 'postgres');
      const client = new pg.Client({ connectionString: url('dataset') });
      await client.connect();
      await client.query(`SET bench.scale = ${pg.escapeLiteral(String(scale))}`);
      const text = readFileSync(new URL('dataset.sql', import.meta.url), 'utf8');
      // VACUUM cannot run in the implicit transaction of a message with several statements
      for (const statement of text.split(/;\n/).filter((s) => s.trim() !== '')) await client.query(statement);
      await client.end();
    },
    /** A fresh copy of the data set; its name. A checkpoint first, so that no run pays for another's dirty pages. */
    async clone() {
      clones += 1;
      const name = `run${clones}`;
      await query('postgres', `CREATE DATABASE ${name} TEMPLATE dataset OWNER app`, undefined, 'postgres');
      await query('postgres', 'CHECKPOINT', undefined, 'postgres');
      return name;
    },
    async drop(name) {
      await query('postgres', `DROP DATABASE ${name} WITH (FORCE)`, undefined, 'postgres');
    },
    /** Runs work and returns its milliseconds and the bytes of WAL written meanwhile. */
    async measure(work) {
      const at = async () =>
        (await query('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes", undefined, 'postgres')).rows[0].bytes;
      const before = await at();
      const started = performance.now();
      await work();
      const ms = performance.now() - started;
      return { ms, wal: (await at()) - before };
    },
  };
}
