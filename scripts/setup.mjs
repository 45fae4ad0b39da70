// Makes a machine that has Node and either PostgreSQL or apt able to run the demo and the tests: installs what is missing and says so. Only Node's own modules.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const oldestMajor = 14;
const programs = ['initdb', 'postgres', 'pg_dump', 'pg_restore'];

class CannotSetUp extends Error {}

function run(argv, options = {}) {
  const { status, error } = spawnSync(argv[0], argv.slice(1), { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (error !== undefined || status !== 0) throw new CannotSetUp(`\`${argv.join(' ')}\` failed${error === undefined ? '' : `: ${error.message}`}`);
}

/** Packages that the lock file names and that are not installed in that version; those for other platforms do not count. */
function missingPackages() {
  const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return ['node_modules'];
  const installed = read('node_modules/.package-lock.json');
  return Object.entries(read('package-lock.json'))
    .filter(([path, wanted]) => path !== '' && !wanted.optional && !wanted.devOptional && !wanted.link && installed[path]?.version !== wanted.version)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
}

function installPackages(say) {
  const missing = missingPackages();
  if (missing.length === 0) return;
  say(`installing packages with npm ci (${missing.length === 1 ? missing[0] : `${missing.length} packages`} missing or of another version)`);
  const npm = process.env.npm_execpath;
  run([
    ...(npm !== undefined && /npm-cli\.js$/.test(npm) ? [process.execPath, npm] : ['npm']),
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel',
    'error',
  ]);
}

function majorOf(bin) {
  if (!programs.every((program) => existsSync(join(bin, program)))) return null;
  const { status, stdout } = spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' });
  const major = status === 0 ? Number(/\) (\d+)/.exec(stdout)?.[1]) : NaN;
  return major >= oldestMajor ? major : null;
}

/** The directory with initdb, postgres, pg_dump and pg_restore of the newest major from 14 on, or null. PGBIN, when set, decides. */
function findPostgres() {
  if (process.env.PGBIN) {
    if (majorOf(process.env.PGBIN) === null)
      throw new CannotSetUp(`PGBIN is ${process.env.PGBIN}, where ${programs.join(', ')} of PostgreSQL ${oldestMajor} or newer are not found`);
    return process.env.PGBIN;
  }
  const below = (parent, rest) => (existsSync(parent) ? readdirSync(parent).map((name) => join(parent, name, rest)) : []);
  const candidates = [
    ...below('/usr/lib/postgresql', 'bin'),
    ...below('/usr', 'bin').filter((path) => path.includes('/pgsql-')),
    ...below('/opt/homebrew/opt', 'bin').filter((path) => path.includes('/postgresql')),
    ...below('/usr/local/opt', 'bin').filter((path) => path.includes('/postgresql')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = candidates.map((bin) => ({ bin, major: majorOf(bin) })).filter(({ major }) => major !== null);
  return found.sort((a, b) => b.major - a.major)[0]?.bin ?? null;
}

function installPostgres(say) {
  const byHand = `install PostgreSQL ${oldestMajor} or newer (the server, not only the client), or set PGBIN to the directory of its programs`;
  if (spawnSync('apt-get', ['--version']).status !== 0)
    throw new CannotSetUp(`no PostgreSQL server is found, and there is no apt to install one with: ${byHand}`);
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (asRoot.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0)
    throw new CannotSetUp(`no PostgreSQL server is found, and this user may not use sudo without a password: ${byHand}`);
  say(`installing PostgreSQL with ${[...asRoot, 'apt-get'].join(' ')} (package postgresql, without a server of its own)`);
  // The package would otherwise make and start a server with a database; only its programs are needed.
  const conf = '/etc/postgresql-common/createcluster.conf';
  run([...asRoot, 'sh', '-c', `mkdir -p ${conf.replace(/\/[^/]*$/, '')} && { [ -e ${conf} ] || echo 'create_main_cluster = false' > ${conf}; }`]);
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0'];
  run([...apt, 'update']);
  run([...apt, 'install', '-y', '--no-install-recommends', 'postgresql'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const bin = findPostgres();
  if (bin === null) throw new CannotSetUp(`this system's package is older than PostgreSQL ${oldestMajor}: ${byHand}`);
  return bin;
}

function newest(folders) {
  const entries = folders.flatMap((folder) => readdirSync(join(root, folder), { withFileTypes: true, recursive: true }));
  return Math.max(...entries.filter((e) => e.isFile()).map((e) => statSync(join(e.parentPath ?? e.path, e.name)).mtimeMs));
}

/** A clone writes all files within moments, in any order; an edit comes later than that. */
const cloneMs = 60_000;

function buildIfStale(say) {
  const bundle = join(root, 'dist/cli/index.js');
  if (existsSync(bundle) && newest(['src', 'sql']) < statSync(bundle).mtimeMs + cloneMs) return;
  say('building dist/ (the sources are newer)');
  run([process.execPath, 'scripts/build.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * @param {{ say?: (what: string) => void, build?: boolean }} [options] build: whether dist/ is needed
 * @returns {{ bin: string, ms: number }} directory of PostgreSQL's programs, and how long the installing took
 * Errors: an error whose message says what to do by hand.
 */
export function setUp({ say = console.log, build = true } = {}) {
  const began = Date.now();
  if (Number(process.versions.node.split('.')[0]) < 20) throw new CannotSetUp(`this is Node ${process.versions.node}: install Node 20 or newer`);
  installPackages(say);
  const bin = findPostgres() ?? installPostgres(say);
  if (build) buildIfStale(say);
  return { bin, ms: Date.now() - began };
}
