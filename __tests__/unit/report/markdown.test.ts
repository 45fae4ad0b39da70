import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { RunResult } from '../../../src/report/event.js';
import { code, markdown, prose, SUMMARY_BYTES } from '../../../src/report/markdown.js';
import { page } from '../../../src/report/page.js';
import { refusal, rehearsal } from './result.js';

/** Compares with a whole file; `WRITE_EXPECTED=1` writes it anew, to be read before it is committed. */
function expectFile(name: string, actual: string): void {
  const file = `__tests__/unit/report/expected/${name}`;
  if (process.env['WRITE_EXPECTED'] === '1') writeFileSync(file, actual);
  expect(actual).toBe(readFileSync(file, 'utf8'));
}

describe('the job summary', () => {
  test('of a rehearsal is this file', () => {
    expectFile('rehearsal.md', markdown(rehearsal));
  });

  test('of a refusal is this file', () => {
    expectFile('refusal.md', markdown(refusal));
  });

  test("has the seed's six criteria first, and gives no verdict on one that was not measured", () => {
    const titles = [...markdown(refusal).matchAll(/^\| \*\*(.+?)\*\* \| \| not measured in this run \| \|$/gm)].map((m) => m[1]);
    expect(titles).toEqual([
      'All type mismatches resolved',
      'No duplicate tables',
      'All foreign keys valid',
      'Application works without errors',
      'No data loss',
      'Performance maintained or improved',
    ]);
  });

  test('never exceeds 900 KiB and counts what it leaves out', () => {
    const wide = 'ü'.repeat(500);
    const huge: RunResult = {
      ...rehearsal,
      tables: Array.from({ length: 30_000 }, (_, i) => ({
        step: 's',
        table: `public.${wide}${String(i)}`,
        before: i,
        after: i,
        quarantined: 0,
        checksum: '1',
        proof: 'per-key' as const,
      })),
      sql: Array.from({ length: 5000 }, (_, i) => ({ step: 's', text: `SELECT ${String(i)} -- ${wide}` })),
      sections: Array.from({ length: 300 }, (_, i) => ({ title: `s${String(i)}`, head: ['a'], rows: Array.from({ length: 300 }, () => [wide]) })),
      findings: Array.from({ length: 5000 }, () => ({ code: 'not-owner' as const, severity: 'warn' as const, message: wide })),
    };
    const out = markdown(huge);
    expect(Buffer.byteLength(out)).toBeLessThanOrEqual(SUMMARY_BYTES);
    expect(out).toMatch(/[\d,]+ more in the artifact/);
    expect(out.indexOf('rehearse: PASSED')).toBeGreaterThan(-1);
  });

  test('keeps hostile names inside their cell', () => {
    expect(prose('a|b `c` <img src=x>\n| d | @octocat **e** [x](y)')).toBe('a\\|b \\`c\\` &lt;img src=x&gt; \\| d \\| @\u200boctocat \\*\\*e\\*\\* \\[x\\](y)');
    expect(code('a|b`c``d')).toBe('``` a\\|b`c``d ```');
    const hostile = markdown({
      ...rehearsal,
      sentence: '</strong>|\n# heading',
      tables: [{ step: 'x', table: 'public.a|b\n| forged | row |', before: 1, after: 1, quarantined: 0, checksum: null, proof: 'count' }],
    });
    expect(hostile).not.toMatch(/^# heading/m);
    expect(hostile).not.toMatch(/^\| forged/m);
  });
});

describe('the report page', () => {
  test('of a rehearsal is this file', () => {
    expectFile('rehearsal.html', page(rehearsal));
  });

  test('fetches nothing, runs nothing, and binds its style by hash', () => {
    const html = page(rehearsal);
    expect(html).not.toMatch(/<script|\ssrc=|<link|@import|url\(|\son\w+=|\sstyle=/i);
    expect(html).toMatch(/default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]+=*'/);
  });

  test('escapes everything that others named', () => {
    const html = page({ ...rehearsal, sentence: '<script>alert(1)</script>', plan: { ...rehearsal.plan, name: '"><img>' } });
    expect(html).not.toContain('<script>');
    expect(html).not.toContain('<img>');
  });

  test('puts what is in the way before the checks', () => {
    const html = page(refusal);
    expect(html.indexOf('id="findings"')).toBeLessThan(html.indexOf('id="checks"'));
  });
});
