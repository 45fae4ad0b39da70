import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A private PostgreSQL cluster for tests: own data directory, loopback and socket only, run as an ordinary user even when the tests run as root. */
export interface Cluster {
  readonly port: number;
  readonly socket: string;
  readonly bin: string;
  /** URL of a database as its ordinary owner `app` (not a superuser), over the socket */
  url(database: string, user?: string): string;
  /** runs SQL as the superuser `postgres` */
  admin(sql: string, database?: string): Promise<pg.QueryResult>;
  /** creates a database owned by `app`, from a template when given; returns its URL */
  create(database: string, template?: string): Promise<string>;
  drop(database: string): Promise<void>;
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** stops the server and removes the directory */
  remove(): Promise<void>;
}

/** Directory with initdb and pg_ctl: PGBIN, else the newest installed major from 14 on. */
export function findBin(): string {
  const fromEnv = process.env['PGBIN'];
  if (fromEnv !== undefined && fromEnv !== '') return fromEnv;
  const root = '/usr/lib/postgresql';
  const majors = existsSync(root)
    ? readdirSync(root)
        .map(Number)
        .filter((n) => n >= 14 && existsSync(join(root, String(n), 'bin', 'initdb')))
    : [];
  const newest = majors.sort((a, b) => b - a)[0];
  if (newest === undefined)
    throw new Error('no PostgreSQL server binaries found: run `npm test`, which installs them, or set PGBIN to a directory that holds initdb');
  return join(root, String(newest), 'bin');
}

const ids = (user: string): { uid: number; gid: number } => {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((l) => l.startsWith(`${user}:`));
  if (line === undefined) throw new Error(`user ${user} does not exist`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** @param settings lines of postgresql.conf beyond the defaults for tests (fsync off unless a test crashes the server) */
export async function startCluster(settings: readonly string[] = []): Promise<Cluster> {
  const bin = findBin();
  const dir = mkdtempSync(join(tmpdir(), 'lossless-pg-'));
  const asUser = process.getuid?.() === 0 ? ids('postgres') : undefined;
  if (asUser !== undefined) chownSync(dir, asUser.uid, asUser.gid);
  const data = join(dir, 'data');
  const run = { ...asUser, stdio: 'pipe' as const, cwd: dir, env: { PATH: process.env['PATH'] ?? '', HOME: dir, LC_ALL: 'C.UTF-8', TZ: 'UTC' } };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], run);
  const port = await freePort();
  const flags = [
    'fsync=off',
    'max_connections=120',
    'shared_buffers=128MB',
    'max_wal_size=2GB',
    'max_prepared_transactions=10',
    'log_min_messages=warning',
    'wal_level=logical',
    ...settings,
  ];
  let server: ChildProcess | undefined;
  const cluster: Cluster = {
    port,
    socket: dir,
    bin,
    url: (database, user = 'app') => `postgres://${user}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(dir)}&port=${String(port)}`,
    async admin(sql, database = 'postgres') {
      const client = new pg.Client({ host: dir, port, user: 'postgres', database });
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    },
    async create(database, template) {
      const id = pg.escapeIdentifier(database);
      await cluster.admin(`CREATE DATABASE ${id} OWNER app${template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`}`);
      if (template === undefined) await cluster.admin('ALTER SCHEMA public OWNER TO app', database);
      return cluster.url(database);
    },
    async drop(database) {
      await cluster.admin(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    },
    async start() {
      server = spawn(
        join(bin, 'postgres'),
        ['-D', data, '-p', String(port), '-k', dir, '-c', 'listen_addresses=127.0.0.1', ...flags.flatMap((f) => ['-c', f])],
        { ...run, stdio: 'ignore' },
      );
      for (let i = 0; ; i += 1) {
        try {
          await cluster.admin('SELECT 1');
          return;
        } catch (error) {
          if (i > 200 || server.exitCode !== null) throw error;
          await new Promise((r) => setTimeout(r, 50));
        }
      }
    },
    async stop(mode = 'fast') {
      const running = server;
      if (running?.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((r) => running.once('exit', r));
      running.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await ended;
      server = undefined;
    },
    async remove() {
      await cluster.stop('immediate');
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await cluster.start();
  await cluster.admin('CREATE ROLE app LOGIN CREATEDB');
  return cluster;
}
