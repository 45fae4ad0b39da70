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
  'input-missing': 'cluster/backup/backup.test.ts',
  'held-by-run': 'cluster/phases/journey.test.ts',
  'run-active': 'cluster/phases/refusals.test.ts',
  'run-not-found': 'cluster/phases/refusals.test.ts',
  'run-unfinished': 'cluster/phases/told.test.ts',
  'evidence-missing': 'cluster/phases/refusals.test.ts',
  'evidence-invalid': 'cluster/phases/refusals.test.ts',
  'plan-changed': 'cluster/phases/refusals.test.ts',
  'tool-version-changed': 'cluster/phases/bound.test.ts',
  'max-lock-changed': 'cluster/phases/refusals.test.ts',
  'allow-changed': 'cluster/phases/refusals.test.ts',
  'schema-drifted': 'cluster/phases/refusals.test.ts',
  'rehearsal-failed': 'cluster/phases/bound.test.ts',
  'rehearsal-changed': 'cluster/phases/bound.test.ts',
  'approval-missing': 'cluster/phases/refusals.test.ts',
  'confirm-mismatch': 'cluster/phases/refusals.test.ts',
  'backup-too-old': 'cluster/phases/refusals.test.ts',
  'count-above-approved': 'cluster/phases/bound.test.ts',
  'retention-not-over': 'cluster/phases/told.test.ts',
  'watch-not-green': 'cluster/phases/bound.test.ts',
  'watch-incomplete': 'cluster/phases/interrupted.test.ts',
  'watch-yielded': 'cluster/phases/told.test.ts',
  'archive-expires': 'cluster/phases/told.test.ts',
  'query-unexpected': 'cluster/phases/bound.test.ts',
  'health-failed': 'cluster/phases/bound.test.ts',
  'not-equal-after-undo': 'cluster/phases/told.test.ts',
  'approved-by': 'cluster/phases/told.test.ts',
  'undone-as-before': 'cluster/phases/told.test.ts',
  'left-behind': 'cluster/phases/told.test.ts',
  'writer-errors': 'cluster/phases/told.test.ts',
  'backup-proved': 'cluster/phases/told.test.ts',
  'backup-not-proved': 'cluster/phases/told.test.ts',
  'run-failed': 'cluster/phases/told.test.ts',
  'vacuum-in-the-way': 'cluster/rebuild-tables/findings.test.ts',
  'long-transactions': 'cluster/rebuild-tables/findings.test.ts',
  'rows-differ': 'cluster/rebuild-tables/findings.test.ts',
  'schema-changed': 'cluster/rebuild-tables/races.test.ts',
  'key-unreadable': 'cluster/rebuild-tables/races.test.ts',
  'reverse-conflict': 'cluster/rebuild-tables/races.test.ts',
  'not-convertible-back': 'cluster/rebuild-tables/findings.test.ts',
  'table-not-readable': 'cluster/drift/drift.test.ts',
  'row-security-hides-rows': 'cluster/proof/proof.test.ts',
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
  'client-outdated': 'unit/backup/client.test.ts',
  'clone-without-owners': 'cluster/backup/backup.test.ts',
  'journal-not-readable': 'cluster/backup/backup.test.ts',
  'clone-other-locale': 'cluster/backup/backup.test.ts',
  'extension-not-available': 'cluster/backup/backup.test.ts',
  'large-object-not-readable': 'cluster/backup/backup.test.ts',
  'restore-left-out': 'cluster/backup/backup.test.ts',
  'rows-lost': 'unit/steps/row-guard.test.ts',
  'rows-changed': 'unit/steps/row-guard.test.ts',
  'step-not-there': 'cluster/steps/findings.test.ts',
  'undo-loses-rows': 'cluster/steps/sql.test.ts',
  'drizzle-ledger-later': 'cluster/steps/drizzle.test.ts',
  'created-table-in-use': 'cluster/steps/drizzle.test.ts',
  'kept-rows-without-parent': 'cluster/steps/drizzle.test.ts',
  'kept-tables': 'cluster/steps/drizzle.test.ts',
  'kept-tables-unrecorded': 'cluster/steps/drizzle.test.ts',
  'retired-table-missing': 'cluster/retire-schemas/retire-schemas.test.ts',
  'retired-rows-changed': 'cluster/steps/findings.test.ts',
  'retired-in-use': 'cluster/phases/told.test.ts',
  'fence-missing': 'cluster/retire-tables/retire-tables.test.ts',
  'name-taken': 'cluster/retire-schemas/retire-schemas.test.ts',
  'parent-gone': 'cluster/retire-schemas/retire-schemas.test.ts',
  'key-left-unvalidated': 'cluster/retire-tables/retire-tables.test.ts',
  'merge-row-stuck': 'cluster/merge-table/merge-table.test.ts',
  'merge-row-stays': 'cluster/merge-table/merge-table.test.ts',
  'table-inspected': 'cluster/inspect-tables/inspect-tables.test.ts',
  'drift-types': 'cluster/drift/drift.test.ts',
  'drift-objects': 'cluster/drift/scenario.test.ts',
  'drift-duplicate-table': 'cluster/drift/scenario.test.ts',
  'drift-orphans': 'cluster/drift/scenario.test.ts',
  'drift-unfit-values': 'cluster/drift/drift.test.ts',
  'drift-not-validated': 'cluster/drift/drift.test.ts',
  'drift-unused-tables': 'cluster/drift/drift.test.ts',
  'drift-layout': 'cluster/drift/drift.test.ts',
  'drift-same-database': 'cluster/drift/drift.test.ts',
  'drift-drizzle-later': 'cluster/drift/drift.test.ts',
};

const tests = fileURLToPath(new URL('..', import.meta.url));
/** As a word of its own: codes are parts of each other. */
const names = (file: string, code: string): boolean => new RegExp(`(^|[^a-z-])${code}([^a-z-]|$)`, 'm').test(readFileSync(file, 'utf8'));
const withCase = new Set(cases.map((c) => c.code));

describe('finding codes', () => {
  test('have a case or a test that provokes them', () => {
    expect(Object.keys(findingCodes).filter((code) => !withCase.has(code) && !(code in provedBy))).toEqual([]);
  });

  test('are named by the tests that provoke them', () => {
    const absent = Object.entries(provedBy).filter(([code, file]) => !existsSync(join(tests, file)) || !names(join(tests, file), code));
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
