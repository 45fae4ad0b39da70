// The whole build: SQL module, compiled sources, plan schema and docs, then one bundle for the action and one for the terminal.
// dist/ is committed. `--check` builds the bundles elsewhere and fails, naming the files, when dist/ is not byte for byte what the sources give.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const checking = process.argv.includes('--check');
const installed = (path) => join(root, 'node_modules', path);

function step(title, args) {
  const began = Date.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    console.error(`${title} failed:\n${stdout}${stderr}`);
    process.exit(1);
  }
  console.log(`${title}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** lib/<entry> with everything it imports into <out>, the SQL parser's wasm beside it (ncc does not carry it). */
function bundle(entry, out) {
  step(`bundle ${entry}`, [installed('@vercel/ncc/dist/ncc/cli.js'), 'build', join(root, 'lib', entry), '-o', out, '--no-cache', '-q']);
  cpSync(installed('libpg-query/wasm/libpg-query.wasm'), join(out, 'libpg-query.wasm'));
}

const files = (dir) =>
  existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true, recursive: true })
        .filter((e) => e.isFile())
        .map((e) => relative(dir, join(e.parentPath, e.name)))
        .sort()
    : [];

step('sql', ['scripts/build-sql.mjs']);
step('compile', [installed('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
for (const script of ['scripts/build-plan-schema.mjs', 'scripts/build-docs.mjs', 'scripts/build-workflows.mjs'])
  step(script, checking ? [script, '--check'] : [script]);

// Beside everything else and moved into place at the end, so that nobody ever finds half of it.
const scratch = mkdtempSync(join(tmpdir(), 'lossless-dist-'));
const out = join(scratch, 'dist');
bundle('main.js', out);
bundle('cli.js', join(out, 'cli'));
if (checking) {
  const names = [...new Set([...files(out), ...files(dist)])];
  const same = (name) => existsSync(join(out, name)) && existsSync(join(dist, name)) && readFileSync(join(out, name)).equals(readFileSync(join(dist, name)));
  const stale = names.filter((name) => !same(name));
  if (stale.length > 0) console.error(`dist/ is out of date: ${stale.join(', ')}; run \`npm run build\` and commit it`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  rmSync(dist, { recursive: true, force: true });
  cpSync(out, dist, { recursive: true });
}
rmSync(scratch, { recursive: true, force: true });
