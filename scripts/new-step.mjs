// Starts a new kind of step: `npm run new-step <kind>` writes the step, its SQL, a case that fails until the step works, its docs page, and its line in the registry.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = process.argv[3] ?? fileURLToPath(new URL('..', import.meta.url));
const kind = process.argv[2] ?? '';
if (!/^[a-z]+(-[a-z]+)*$/.test(kind)) {
  console.error('usage: npm run new-step <kind>, e.g. npm run new-step split-table');
  process.exit(1);
}
const name = kind.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const registry = join(root, 'src/steps/index.ts');
const files = {
  [`src/steps/${kind}.ts`]: `import { z } from 'zod';
import { relation } from '../plan/plan.js';
import type { Step } from './step.js';

const schema = z.strictObject({ table: z.string().min(1).describe('the table to change') });
type Spec = z.infer<typeof schema>;

/** What the undo needs; saved before the act. */
type Receipt = { readonly done: boolean };

export const ${name}: Step<Spec, Receipt> = {
  schema,

  describe: (spec, plan) => ({
    title: \`${kind} \${spec.table}\`,
    touches: [relation(spec.table, plan)],
    schemas: [],
    anything: false,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: false,
    undo: 'exact',
  }),

  preflight: () => Promise.resolve({ findings: [], done: false, counts: {} }),

  async apply(cx, spec, receipt) {
    if (receipt.last?.done === true) return;
    await receipt.save({ done: false });
    await cx.db.change('${kind}/apply', { names: { table: relation(spec.table, cx.plan) } });
    await receipt.save({ done: true });
  },

  verify: () => Promise.resolve({ findings: [], checks: [], tables: [], notCompared: [], rowsCompared: 0 }),
  canUndo: () => Promise.resolve([]),

  async undo(cx, spec) {
    await cx.db.change('${kind}/undo', { names: { table: relation(spec.table, cx.plan) } });
  },

  watch: () => Promise.resolve({ findings: [], drained: 0, backlog: 0, blocking: [], tables: [] }),
  canCleanup: () => Promise.resolve([]),
  retired: () => [],
  cleanup: () => Promise.resolve(),
};
`,
  [`sql/${kind}/apply.sql`]: `-- Changes the table. ACCESS EXCLUSIVE, for a moment.\nCOMMENT ON TABLE :"table" IS '${kind}'\n`,
  [`sql/${kind}/undo.sql`]: `-- Takes the change back; safe to repeat. ACCESS EXCLUSIVE, for a moment.\nCOMMENT ON TABLE :"table" IS NULL\n`,
  [`__tests__/cases/${kind}/table-not-found/before.sql`]: 'CREATE TABLE there (id int PRIMARY KEY);\n',
  [`__tests__/cases/${kind}/table-not-found/plan.yml`]: `name: case\nsteps:\n  - id: missing\n    ${kind}: { table: nowhere }\n`,
  [`__tests__/cases/${kind}/table-not-found/refusal.txt`]:
    'block plan.yml:3:5: table-not-found: step "missing": public.nowhere does not exist HINT: Correct the name (case matters), or take it out of the plan.\n',
  [`docs/steps/${kind}.md`]: `# ${kind}

For …

\`\`\`yaml
- id: example
  ${kind}: { table: orders }
\`\`\`

**Locks.** ACCESS EXCLUSIVE on the table, for milliseconds.

**Undo.** Exact.

**Refused.** \`table-not-found\`; see [findings](../findings.md).

**By hand.** …
`,
};

const taken = Object.keys(files).filter((path) => existsSync(join(root, path)));
if (taken.length > 0) {
  console.error(`these files exist already: ${taken.join(', ')}`);
  process.exit(1);
}
for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const before = readFileSync(registry, 'utf8');
const after = before
  .replace(/^import type \{ AnyStep \}/m, `import { ${name} } from './${kind}.js';\n$&`)
  .replace(/^\} as const satisfies Record<string, AnyStep>;/m, `  ${name === kind ? kind : `'${kind}': ${name}`},\n$&`);
writeFileSync(registry, after);
console.log(
  `${Object.keys(files).join('\n')}\nsrc/steps/index.ts\n\nNext: npm run build:sql, then make this pass: npm run test:cluster -- __tests__/cluster/cases.test.ts -t ${kind}`,
);
