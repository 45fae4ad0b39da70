import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findingCodes } from '../../src/finding-codes.js';
import { cases, checked, expected } from '../support/case.js';

describe('a plan is refused or remarked on with exactly these words', () => {
  test.each(cases.filter((c) => !c.needsDatabase).map((c) => [`${c.area}/${c.name}`, c] as const))('%s', async (_name, c) => {
    const { lines } = await checked(c);
    expect(lines).toEqual(expected(c, lines));
    expect(lines.some((said) => said.includes(`${c.code}: `))).toBe(true);
  });
});

describe('the cases', () => {
  test('are named after finding codes that exist, and each says what is said', () => {
    expect(cases.filter((c) => !(c.code in findingCodes)).map((c) => c.name)).toEqual([]);
    expect(cases.filter((c) => !existsSync(join(c.dir, 'refusal.txt'))).map((c) => c.name)).toEqual([]);
  });
});
