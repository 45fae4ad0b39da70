import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Cluster } from './cluster.js';

const program = '/usr/sbin/pgbouncer';

/** Installs PgBouncer where apt may be used; why it cannot be run, else null. */
export function pgbouncerMissing(): string | null {
  if (existsSync(program)) return null;
  // a fresh machine has no package lists
  for (const words of [['update'], ['install', '-y', '-q', 'pgbouncer']]) {
    const argv = [...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), 'apt-get', ...words];
    try {
      execFileSync(argv[0] ?? '', argv.slice(1), { stdio: 'pipe', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
    } catch {
      // said below
    }
  }
  return existsSync(program) ? null : 'PgBouncer is not installed and apt-get cannot install it';
}

/** A real PgBouncer in front of a cluster; `url` leads through it to a database. */
export async function startPgbouncer(
  cluster: Cluster,
  mode: 'transaction' | 'session',
  database: string,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'lossless-bouncer-'));
  const port = await freePort();
  const config = join(dir, 'pgbouncer.ini');
  writeFileSync(
    config,
    `[databases]\n${database} = host=${cluster.socket} port=${String(cluster.port)} user=app\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${String(port)}\nunix_socket_dir =\nauth_type = any\npool_mode = ${mode}\nserver_reset_query = DISCARD ALL\nignore_startup_parameters = extra_float_digits\n`,
  );
  // PgBouncer refuses to run as root
  const owner = process.getuid?.() === 0 ? statSync(join(cluster.socket, 'data')) : undefined;
  if (owner !== undefined) chownSync(dir, owner.uid, owner.gid);
  const child = spawn(program, [config], { stdio: 'ignore', ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }) });
  const url = `postgres://app@127.0.0.1:${String(port)}/${database}`;
  await reachable(url);
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function reachable(url: string): Promise<void> {
  for (let i = 0; ; i += 1) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (i > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => {
        resolve(port);
      });
    });
  });
