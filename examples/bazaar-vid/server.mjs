import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const port = 5432;

/** A server refuses to run as root: then it runs as the package's own user, or as nobody. */
function ordinaryUser() {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  const line = users.find((l) => l.startsWith('postgres:')) ?? users.find((l) => l.startsWith('nobody:'));
  if (line === undefined) throw new Error('this is root, and there is neither a user postgres nor nobody to run a server as');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * A private PostgreSQL server in a temporary directory: reachable only through a socket in that directory, run as an ordinary user even when this is root.
 * Its databases belong to the role `app`, which is not a superuser.
 *
 * @param {string} bin directory of initdb and postgres
 * @returns {Promise<{ create(database: string): string, url(database: string): string, dump(database: string, without?: string): string, stop(): Promise<void> }>}
 *   create: makes an empty database and returns its URL. dump: its schema as pg_dump prints it, without the schemas of the pattern (`lossless`: the journal). stop: stops the server and removes the directory.
 */
export async function startServer(bin) {
  const dir = mkdtempSync(join(tmpdir(), 'bazaar-vid-'));
  const as = ordinaryUser();
  if (as.uid !== undefined) chownSync(dir, as.uid, as.gid);
  const run = (program, args, options = {}) => {
    const { status, stdout, stderr, error } = spawnSync(join(bin, program), args, { cwd: dir, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
    if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr.trim()}`);
    return stdout;
  };
  const environment = { PATH: process.env.PATH ?? '', HOME: dir, LC_ALL: 'C', TZ: 'UTC' };
  run('initdb', ['-D', 'data', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'], { ...as, env: environment });
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${dir}`,
    'max_connections=100',
    'shared_buffers=128MB',
    'max_wal_size=1GB',
    'logging_collector=off',
    'log_min_messages=fatal',
  ];
  const server = spawn(join(bin, 'postgres'), ['-D', 'data', '-p', String(port), ...settings.flatMap((s) => ['-c', s])], {
    ...as,
    cwd: dir,
    env: environment,
    stdio: 'ignore',
    detached: true,
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) server.kill('SIGINT');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const admin = ['-h', dir, '-p', String(port), '-U', 'postgres'];
  try {
    for (let attempt = 0; spawnSync(join(bin, 'pg_isready'), ['-q', ...admin]).status !== 0; attempt += 1) {
      if (attempt > 100 || server.exitCode !== null) throw new Error(`the server in ${dir} did not start`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    run('createuser', [...admin, 'app']);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = (database) => `postgres://app@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(dir)}&port=${port}`;
  return {
    url,
    create(database) {
      run('createdb', [...admin, '-O', 'app', database]);
      run('psql', [...admin, '-d', database, '-q', '-c', 'ALTER SCHEMA public OWNER TO app']);
      return url(database);
    },
    // Newer releases print a key in \restrict that changes with every call.
    dump: (database, without = 'lossless') => run('pg_dump', [...admin, '-s', '-N', without, database]).replace(/^\\(un)?restrict .*\n/gm, ''),
    stop,
  };
}
