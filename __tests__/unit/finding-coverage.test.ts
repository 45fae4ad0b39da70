import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { findingCodes, type FindingCode } from '../../src/finding-codes.js';
import { cases } from '../support/case.js';

/**
 * Codes that a plan and a database alone cannot provoke (a phase, a store, a moment between two acts is needed): the test that does.
 * Every other code has a case, so no code is documented that nothing was ever seen to raise.
 */
const provedBy: Readonly<Partial<Record<FindingCode, string>>> = {
  'plan-file-unusable': 'unit/plan/read.test.ts',
  'row-security-hides-rows': 'cluster/proof/proof.test.ts',
  'table-not-readable': 'cluster/drift/drift.test.ts',
  'client-outdated': 'unit/backup/client.test.ts',
  'backup-not-encrypted': 'cluster/backup/backup.test.ts',
  'backup-missing': 'cluster/backup/backup.test.ts',
  'backup-unreadable': 'cluster/backup/backup.test.ts',
  'backup-differs': 'cluster/backup/backup.test.ts',
  'backup-schema-left-out': 'cluster/backup/backup.test.ts',
  'schema-not-backed-up': 'cluster/backup/backup.test.ts',
  'staging-is-production': 'cluster/backup/backup.test.ts',
  'staging-other-major': 'cluster/backup/backup.test.ts',
  'staging-role-missing': 'cluster/backup/backup.test.ts',
  'staging-not-ours': 'cluster/backup/backup.test.ts',
  'clone-without-owners': 'cluster/backup/backup.test.ts',
  'journal-not-readable': 'cluster/backup/backup.test.ts',
  'clone-other-locale': 'cluster/backup/backup.test.ts',
  'extension-not-available': 'cluster/backup/backup.test.ts',
  'large-object-not-readable': 'cluster/backup/backup.test.ts',
  'restore-left-out': 'cluster/backup/backup.test.ts',
};

const tests = fileURLToPath(new URL('..', import.meta.url));
const withCase = new Set(cases.map((c) => c.code));

describe('finding codes', () => {
  test('have a case or a test that provokes them', () => {
    expect(Object.keys(findingCodes).filter((code) => !withCase.has(code) && !(code in provedBy))).toEqual([]);
  });

  test('are named by the tests that provoke them', () => {
    const absent = Object.entries(provedBy).filter(
      ([code, file]) => !existsSync(join(tests, file)) || !readFileSync(join(tests, file), 'utf8').includes(`'${code}'`),
    );
    expect(absent).toEqual([]);
  });

  test('are not listed when they have a case', () => {
    expect(Object.keys(provedBy).filter((code) => withCase.has(code))).toEqual([]);
  });
});

test('at least thirty broken plans are refused', () => {
  const refused = cases.filter((c) => /^block /m.test(readFileSync(join(c.dir, 'refusal.txt'), 'utf8')));
  expect(refused.length).toBeGreaterThanOrEqual(30);
});
