import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { findingCodes } from '../../src/finding-codes.js';
import { inputTable } from '../../src/inputs.js';
import { planJsonSchema } from '../../src/plan/schema.js';
import { outputNames } from '../../src/report/event.js';
import { kinds } from '../../src/steps/index.js';

const file = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const docs = (await import(new URL('../../scripts/build-docs.mjs', import.meta.url).href)) as {
  documents(tables: { findingCodes: object; inputTable: object; outputNames: readonly string[] }): Record<string, string>;
  between(text: string, name: string, body: string): string;
};

describe('generated files are what their sources say', () => {
  test('plan.schema.json (npm run build:schema)', () => {
    expect(JSON.parse(file('plan.schema.json'))).toEqual(JSON.parse(JSON.stringify(planJsonSchema(kinds))));
  });

  test('plan.schema.json accepts the plan of the scenario and refuses a slip of the finger', () => {
    const schema = z.fromJSONSchema(JSON.parse(file('plan.schema.json')) as Parameters<typeof z.fromJSONSchema>[0]);
    const plan = parse(file('examples/bazaar-vid/plan.yml')) as { steps: unknown[] };
    expect(schema.safeParse(plan).success).toBe(true);
    expect(schema.safeParse({ ...plan, retenton: '7d' }).success).toBe(false);
    expect(schema.safeParse({ ...plan, steps: [...plan.steps, { id: 'x', 'retire-tables': { tabels: ['t'] } }] }).success).toBe(false);
  });

  test('docs and the tables of README.md (npm run build:docs)', () => {
    for (const [path, text] of Object.entries(docs.documents({ findingCodes, inputTable, outputNames }))) expect(file(path)).toBe(text);
  });
});

describe('text between marks', () => {
  test('is replaced, and the rest is left alone', () => {
    expect(docs.between('a\n<!-- x:start -->\nold\n<!-- x:end -->\nb', 'x', 'new')).toBe('a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb');
    expect(docs.between('no marks', 'x', 'new')).toBe('no marks');
  });
});
