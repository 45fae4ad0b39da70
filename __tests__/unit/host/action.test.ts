import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { inputTable } from '../../../src/inputs.js';
import { outputNames } from '../../../src/report/event.js';

interface Action {
  readonly inputs: Record<string, { readonly description: string; readonly default: string; readonly required: boolean }>;
  readonly outputs: Record<string, { readonly description: string }>;
  readonly runs: Record<string, string>;
}
const action = parse(readFileSync('action.yml', 'utf8')) as Action;

describe('action.yml', () => {
  test('declares exactly the inputs of the table, in its order, words and defaults', () => {
    const declared = Object.entries(action.inputs).map(([name, input]) => [name, input.description, input.default]);
    expect(declared).toEqual(Object.entries(inputTable).map(([name, input]) => [name, input.about, input.default]));
  });

  test('declares exactly the outputs of the report, each described', () => {
    expect(Object.keys(action.outputs)).toEqual([...outputNames]);
    for (const output of Object.values(action.outputs)) expect(output.description).not.toBe('');
  });

  test('runs on node24 and always runs its post step', () => {
    expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js', post: 'dist/index.js', 'post-if': 'always()' });
  });
});
