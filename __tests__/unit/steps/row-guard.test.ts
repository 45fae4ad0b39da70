import { describe, expect, test } from '@jest/globals';
import { addedBy, judge, wayBack, type Counts, type RowRules } from '../../../src/steps/row-guard.js';

const plan = { schemas: ['public', 'app'], recycleConnections: false, strict: false };
const counts = (of: Record<string, number>): Counts => Object.entries(of).map(([name, rows]) => ({ schema: 'public', name, rows }));
const said = (before: Record<string, number>, after: Record<string, number>, rules: RowRules = {}): string[] =>
  judge(counts(before), counts(after), rules, plan).map((f) => `${f.code} ${f.message}`);

describe('the row guard', () => {
  test.each<[string, Record<string, number>, Record<string, number>, RowRules, string[]]>([
    ['as many', { a: 3 }, { a: 3 }, {}, []],
    ['more', { a: 3 }, { a: 4, b: 9 }, {}, []],
    ['fewer', { a: 3 }, { a: 2 }, {}, ['rows-lost public.a: 3 rows before, 2 after, 1 lost']],
    ['gone', { a: 3 }, {}, {}, ['rows-lost public.a: 3 rows before, the table is gone after']],
    ['an empty table gone', { a: 0 }, {}, {}, []],
    ['fewer, said', { a: 3 }, { a: 0 }, { a: 'fewer' }, []],
    ['gone where fewer is said', { a: 3 }, {}, { 'public.a': 'fewer' }, ['rows-lost public.a: 3 rows before, the table is gone after']],
    ['gone, said', { a: 3 }, {}, { a: 'any' }, []],
    ['more where same is said', { a: 3 }, { a: 4 }, { a: 'same' }, ['rows-changed public.a: 3 rows before, 4 after; the plan says same']],
    ['another table’s rule', { a: 3 }, { a: 2 }, { 'app.a': 'any' }, ['rows-lost public.a: 3 rows before, 2 after, 1 lost']],
  ])('%s', (_name, before, after, rules, expected) => {
    expect(said(before, after, rules)).toEqual(expected);
  });

  test('an undo may take what the apply added, no more', () => {
    const added = addedBy(counts({ a: 3 }), counts({ a: 5, made: 2 }));
    const undo = (before: Record<string, number>, after: Record<string, number>): number => judge(counts(before), counts(after), {}, plan, added).length;
    expect(undo({ a: 6, made: 2 }, { a: 4 })).toBe(0);
    expect(undo({ a: 6, made: 2 }, { a: 3 })).toBe(1);
    expect(undo({ a: 6, made: 3 }, { a: 4 })).toBe(1);
  });

  test('fewer is said for the way forward only', () => {
    expect(wayBack({ a: 'fewer', b: 'any', c: 'same' })).toEqual({ b: 'any', c: 'same' });
  });
});
