// A throw-away PostgreSQL server for trying things out: loopback only, an ordinary role `app` with databases `production`, `development` and `staging`. Ctrl-C removes it.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const port = process.argv[2] ?? '54329';
const base = '/usr/lib/postgresql';
const newest = existsSync(base)
  ? readdirSync(base)
      .map(Number)
      .filter((n) => n >= 14)
      .sort((a, b) => b - a)[0]
  : undefined;
const bin = process.env.PGBIN ?? (newest === undefined ? '' : join(base, String(newest), 'bin'));
if (!existsSync(join(bin, 'initdb'))) {
  console.error('no PostgreSQL server found: run `npm test` once, which installs one, or set PGBIN to a directory that holds initdb');
  process.exit(1);
}
// A server refuses to run as root: then everything runs as the package's own user.
const line =
  process.getuid?.() === 0
    ? readFileSync('/etc/passwd', 'utf8')
        .split('\n')
        .find((l) => l.startsWith('postgres:'))
    : undefined;
const [, , uid, gid] = line?.split(':') ?? [];
const as = line === undefined ? {} : { uid: Number(uid), gid: Number(gid) };
const dir = mkdtempSync(join(tmpdir(), 'lossless-scratch-'));
if (line !== undefined) chownSync(dir, as.uid, as.gid);

function run(program, args) {
  const { status, stderr } = spawnSync(join(bin, program), args, { ...as, cwd: dir, encoding: 'utf8' });
  if (status === 0) return;
  console.error(stderr);
  rmSync(dir, { recursive: true, force: true });
  process.exit(1);
}

run('initdb', ['-D', 'data', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']);
const server = spawn(
  join(bin, 'postgres'),
  ['-D', 'data', '-p', port, '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${dir}`, '-c', 'fsync=off'],
  { ...as, cwd: dir, stdio: 'ignore' },
);
for (let i = 0; spawnSync(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', port]).status !== 0; i++) {
  if (i > 50 || server.exitCode !== null) {
    console.error(`the server did not start on port ${port}; is it taken? Give another: npm run cluster 54330`);
    server.kill();
    process.exit(1);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const connection = ['-h', '127.0.0.1', '-p', port, '-U', 'postgres'];
run('createuser', [...connection, 'app']);
for (const database of ['production', 'development', 'staging']) {
  run('createdb', [...connection, '-O', 'app', database]);
  console.log(`postgres://app@127.0.0.1:${port}/${database}`);
}
console.log('Ctrl-C stops the server and removes it.');
process.on('SIGINT', () => server.kill('SIGINT'));
process.on('SIGTERM', () => server.kill('SIGINT'));
server.once('exit', () => rmSync(dir, { recursive: true, force: true }));
