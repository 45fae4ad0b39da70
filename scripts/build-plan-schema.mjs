// Writes plan.schema.json from the zod schemas of the plan and of every step kind, for editors. `--check` only compares. Needs lib/ (`npm run build:lib`).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../plan.schema.json', import.meta.url));
const [{ planJsonSchema }, { kinds }] = await Promise.all(
  ['../lib/plan/schema.js', '../lib/steps/index.js'].map((path) => import(new URL(path, import.meta.url))),
);
const text = `${JSON.stringify(planJsonSchema(kinds), null, 2)}\n`;
const same = existsSync(file) && readFileSync(file, 'utf8') === text;
if (process.argv.includes('--check')) {
  if (!same) {
    console.error('out of date: plan.schema.json; run `npm run build:schema` and commit');
    process.exit(1);
  }
} else if (!same) writeFileSync(file, text);
