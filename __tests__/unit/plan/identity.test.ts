import { describe, expect, test } from '@jest/globals';
import { planIn } from '../../support/plan.js';

const files = {
  'plan.yml':
    'name: x\nmaintenance: { on: ./ops on, off: ./ops off }\nsteps: [{ id: a, script: { file: a.sql, undo: b.sql } }, { id: b, script: { file: drizzle } }]\n',
  'a.sql': 'SELECT 1;\n',
  'b.sql': 'x',
  'drizzle/0.sql': 'SELECT 2;\n',
  ops: '#!/bin/sh\n',
};
const digest = async (changed: Record<string, string> = {}): Promise<string> => (await planIn({ ...files, ...changed })).digest;

describe('the identity of a plan', () => {
  test('is the same in another folder, and the id is its first 12 hex digits', async () => {
    const [one, two] = [await planIn(files), await planIn(files)];
    expect(one.digest).toBe(two.digest);
    expect(one.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(one.id).toBe(one.digest.slice(0, 12));
  });

  test.each([
    ['the plan itself', { 'plan.yml': `${files['plan.yml']}# a comment\n` }],
    ['a SQL file', { 'a.sql': 'SELECT 2;\n' }],
    ['line ends of a SQL file', { 'a.sql': 'SELECT 1;\r\n' }],
    ['a file in a folder', { 'drizzle/0.sql': 'SELECT 3;\n' }],
    ['one file more in a folder', { 'drizzle/1.sql': 'SELECT 3;\n' }],
    ['a script that a command names', { ops: '#!/bin/sh\nexit 1\n' }],
  ])('changes with %s', async (_what, changed) => {
    expect(await digest(changed)).not.toBe(await digest());
  });

  test('does not change with a file that the plan does not name', async () => {
    expect(await digest({ 'other.sql': 'SELECT 1;\n' })).toBe(await digest());
  });
});
