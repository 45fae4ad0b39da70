// The whole build: SQL module, compiled sources, plan schema and docs, then one bundle for the action and one for the terminal. dist/ is committed; a second build changes no byte.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', name);

function step(title, args) {
  const began = Date.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    console.error(`${title} failed:\n${stdout}${stderr}`);
    process.exit(1);
  }
  console.log(`${title}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** lib/<entry> with everything it imports into dist/<folder>/, the SQL parser's wasm beside it (ncc does not carry it). */
function bundle(entry, folder) {
  const out = join(root, 'dist', folder);
  step(`bundle ${entry}`, [bin('@vercel/ncc/dist/ncc/cli.js'), 'build', join(root, 'lib', entry), '-o', out, '--no-cache', '-q']);
  cpSync(bin('libpg-query/wasm/libpg-query.wasm'), join(out, 'libpg-query.wasm'));
}

step('sql', ['scripts/build-sql.mjs']);
rmSync(join(root, 'lib'), { recursive: true, force: true });
step('compile', [bin('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
for (const script of ['build-plan-schema.mjs', 'build-docs.mjs']) if (existsSync(join(root, 'scripts', script))) step(script, [`scripts/${script}`]);
rmSync(join(root, 'dist'), { recursive: true, force: true });
bundle('main.js', '');
bundle('cli.js', 'cli');
