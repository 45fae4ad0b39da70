import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { readPlanFile } from '../../../src/plan/read.js';
import { kinds } from '../../../src/steps/index.js';

const path = (file: string): string => fileURLToPath(new URL(`../../../examples/bazaar-vid/${file}`, import.meta.url));

describe('the plan of the scenario', () => {
  test.each(['plan.yml', 'plan-duplicates.yml'])('%s is valid: its Drizzle step may stand beside the rebuild', async (file) => {
    const plan = await readPlanFile(path(file), kinds);
    expect(plan.findings.filter((finding) => finding.severity === 'block')).toEqual([]);
    expect(plan.steps.some((step) => step.kind === 'drizzle')).toBe(readFileSync(path(file), 'utf8').includes('drizzle:'));
  });

  test('is identified by its migrations, its maintenance switch, its test and its package.json too', async () => {
    const { files } = await readPlanFile(path('plan.yml'), kinds);
    expect(files.names).toEqual(expect.arrayContaining(['app/test.mjs', 'drizzle/meta/_journal.json', 'maintenance.mjs', 'migrate.mjs', 'package.json']));
  });
});
