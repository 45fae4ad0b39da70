import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { chunks, compareLedger, readMigrations, type LedgerRow } from '../../../src/plan/migrations.js';
import { filesOf } from '../../support/plan-files.js';

const now = new Date('2026-11-22T12:00:00Z');
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const journal = (...entries: [string, number][]): Record<string, string> => ({
  'db/out/meta/_journal.json': JSON.stringify({ dialect: 'postgresql', entries: entries.map(([tag, when], idx) => ({ idx, when, tag })) }, null, 1),
  ...Object.fromEntries(entries.map(([tag]) => [`db/out/${tag}.sql`, `SELECT '${tag}'`])),
});
const row = (id: number, text: string, created_at: number, name: string | null = null): LedgerRow => ({ id, hash: hash(text), created_at, name });
const read = (files: Record<string, string>): ReturnType<typeof readMigrations> => readMigrations(filesOf(files), './db/out/', now);
const codes = (findings: readonly { code: string; at?: { line?: number } }[]): string[] => findings.map((f) => `${f.code} ${String(f.at?.line ?? '')}`.trim());

describe('a folder of migrations', () => {
  test('of 0.x is read in the order of its journal, with faults at the journal’s lines', () => {
    const folder = read(journal(['0000_a', 100], ['0001_b', 90], ['0002_c', now.getTime() + 1]));
    expect(folder.migrations.map((m) => [m.tag, m.file, m.when, m.hash])).toEqual([
      ['0000_a', 'db/out/0000_a.sql', 100, hash("SELECT '0000_a'")],
      ['0001_b', 'db/out/0001_b.sql', 90, hash("SELECT '0001_b'")],
      ['0002_c', 'db/out/0002_c.sql', now.getTime() + 1, hash("SELECT '0002_c'")],
    ]);
    expect(codes(folder.findings)).toEqual(['drizzle-journal-order 12', 'drizzle-journal-future 17']);
  });

  test('of v1 is read by name and time', () => {
    const folder = read({
      'db/out/20261122110000_b/migration.sql': 'SELECT 2',
      'db/out/20260101000000_a/migration.sql': 'SELECT 1',
      'db/out/20260101000000_a/snapshot.json': '{}',
    });
    expect(folder.layout).toBe('folders');
    expect(folder.migrations.map((m) => [m.tag, m.when])).toEqual([
      ['20260101000000_a', Date.UTC(2026, 0, 1)],
      ['20261122110000_b', Date.UTC(2026, 10, 22, 11)],
    ]);
  });

  test.each([
    ['nothing of drizzle’s', { 'db/out/a.sql': '' }],
    ['both layouts', { ...journal(['0000_a', 1]), 'db/out/20260101000000_a/migration.sql': '' }],
    ['a journal with marks of a merge', { 'db/out/meta/_journal.json': '<<<<<<< HEAD' }],
    ['another dialect', { 'db/out/meta/_journal.json': '{"dialect":"mysql","entries":[]}' }],
  ])('with %s is refused', (_name, files) => {
    const folder = read(files);
    expect([folder.layout, ...codes(folder.findings).map((c) => c.split(' ')[0])]).toEqual([null, 'drizzle-folder']);
  });

  test('statements are cut at the breakpoints, each with its line', () => {
    const [migration] = read({
      ...journal(['0000_a', 1]),
      'db/out/0000_a.sql': 'SELECT 1;\n--> statement-breakpoint\nSELECT 2;--> statement-breakpoint\n\nSELECT\n3',
    }).migrations;
    expect(chunks(migration!).map((c) => [c.line, c.text.trim()])).toEqual([
      [1, 'SELECT 1;'],
      [3, 'SELECT 2;'],
      [5, 'SELECT\n3'],
    ]);
  });
});

describe('the ledger against the folder', () => {
  const folder = read(journal(['0000_a', 100], ['0001_b', 200], ['0002_c', 300]));
  const text = (tag: string): string => `SELECT '${tag}'`;
  const seen = (...rows: LedgerRow[]): [string[], string[]] => {
    const { pending, findings } = compareLedger(folder, rows);
    return [pending.map((m) => m.tag), codes(findings).map((c) => c.split(' ')[0] ?? '')];
  };

  test('what is not there by hash is pending', () => {
    expect(seen()).toEqual([['0000_a', '0001_b', '0002_c'], []]);
    expect(seen(row(1, text('0000_a'), 100))).toEqual([['0001_b', '0002_c'], []]);
  });
  test('a hole is what drizzle would skip', () => {
    expect(seen(row(1, text('0000_a'), 100), row(2, text('0002_c'), 300))).toEqual([['0001_b'], ['drizzle-would-skip']]);
  });
  test('a changed file and a row without a file are told apart', () => {
    expect(seen(row(1, 'edited', 100), row(2, 'elsewhere', 150))).toEqual([
      ['0001_b', '0002_c'],
      ['drizzle-edited', 'drizzle-ledger-unknown'],
    ]);
  });
  test('a journal whose times were written anew still matches by hash', () => {
    expect(seen(row(1, text('0000_a'), 99))).toEqual([['0001_b', '0002_c'], []]);
  });
  test('v1 goes by name, whatever the time', () => {
    const v1 = read({ 'db/out/20260101000000_a/migration.sql': 'SELECT 1', 'db/out/20260102000000_b/migration.sql': 'SELECT 2' });
    const { pending, findings } = compareLedger(v1, [row(1, 'SELECT 2', Date.UTC(2026, 0, 2), '20260102000000_b')]);
    expect([pending.map((m) => m.tag), findings]).toEqual([['20260101000000_a'], []]);
  });
});
