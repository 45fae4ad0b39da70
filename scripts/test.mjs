// All tests of the repository on a machine that may have nothing but Node: sets itself up, builds, runs the suites, and ends with `N passed, N failed`.
// `--checks` also runs format, lint, types, unused code and generated files, each counted as one; `--minutes N` fails what is not done by then.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { checks: { type: 'boolean', default: false }, minutes: { type: 'string', default: '120' } } });
const deadline = Date.now() + Number(values.minutes) * 60_000;
const total = { passed: 0, failed: 0 };

/** Runs a script of ours or of node_modules; true when it ended well before the deadline. A late one is ended with everything it started. */
function run(title, args) {
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    const late = setTimeout(
      () => {
        console.error(`${title}: not done in time`);
        try {
          process.kill(-child.pid, 'SIGTERM');
        } catch {
          // It ended by itself just now.
        }
      },
      Math.max(0, deadline - began),
    );
    child.once('exit', (code) => {
      clearTimeout(late);
      console.log(`${title}: ${code === 0 ? 'ok' : 'FAILED'} (${((Date.now() - began) / 1000).toFixed(0)} s)`);
      resolve(code === 0);
    });
  });
}

function count(ok) {
  if (ok) total.passed += 1;
  else total.failed += 1;
}

function end() {
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

const installed = (path) => join('node_modules', path);

async function checks() {
  count(await run('format', [installed('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']));
  count(await run('lint', [installed('eslint/bin/eslint.js'), '.']));
  count(await run('types', [installed('typescript/bin/tsc'), '--noEmit']));
  count(await run('unused code', [installed('knip/bin/knip.js')]));
  const changed = spawnSync('git', ['status', '--porcelain', '--', 'dist', 'docs', 'examples/workflows', 'README.md', 'plan.schema.json', 'src/generated'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (changed.stdout !== '') console.error(`the build changed files that are committed; run \`npm run build\` and commit:\n${changed.stdout}`);
  count(changed.status === 0 && changed.stdout === '');
}

/** A suite's counts come from jest's own record; without one it counts as one failure. */
async function suite(project, results) {
  const file = join(results, `${project}.json`);
  const ok = await run(`${project} tests`, [
    '--experimental-vm-modules',
    '--no-warnings',
    installed('jest/bin/jest.js'),
    '--selectProjects',
    project,
    '--json',
    '--outputFile',
    file,
  ]);
  if (!existsSync(file)) {
    total.failed += 1;
    return;
  }
  const record = JSON.parse(readFileSync(file, 'utf8'));
  total.passed += record.numPassedTests;
  total.failed += record.numFailedTests + record.numRuntimeErrorTestSuites;
  if (!ok && record.numFailedTests + record.numRuntimeErrorTestSuites === 0) total.failed += 1;
}

async function all() {
  try {
    process.env.PGBIN = setUp({ build: false }).bin;
  } catch (error) {
    console.error(error.message);
    return count(false);
  }
  if (!(await run('build', ['scripts/build.mjs']))) return count(false);
  if (values.checks) await checks();
  const results = mkdtempSync(join(tmpdir(), 'lossless-tests-'));
  for (const project of ['unit', 'cluster', 'workflow']) await suite(project, results);
  rmSync(results, { recursive: true, force: true });
}

await all();
end();
