// Copies the workflows that a user's repository needs to examples/workflows/, with the released action instead of this checkout. `--check` only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
const forUsers = ['migrate.yml', 'watch.yml', 'cleanup.yml', 'rollback.yml', 'plan.yml'];

const copy = (text) =>
  text.replaceAll('uses: ./', `uses: lossless/lossless@v${version} # pin the full SHA of the release`).replaceAll('examples/bazaar-vid/', 'migrations/');

const texts = forUsers.map((name) => [at(`examples/workflows/${name}`), copy(readFileSync(at(`.github/workflows/${name}`), 'utf8'))]);
const stale = texts.filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
if (process.argv.includes('--check')) {
  if (stale.length > 0) {
    console.error(`out of date: ${stale.map(([path]) => path).join(', ')}; run \`npm run build\` and commit`);
    process.exit(1);
  }
} else for (const [path, text] of stale) writeFileSync(path, text);
