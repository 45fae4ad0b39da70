import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
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
