import { describe, expect, test } from '@jest/globals';
import type { Event } from '../../../src/report/event.js';
import { duration, ending, size, text } from '../../../src/report/text.js';
import { refusal, rehearsal } from './result.js';

const said: readonly (readonly [Event, string])[] = [
  [{ type: 'phase-started', phase: 'migrate', plan: 'align', planId: 'a1b2' }, 'migrate: started, plan align (a1b2)'],
  [{ type: 'phase-ended', phase: 'migrate', outcome: 'passed', ms: 61_000 }, 'migrate: passed after 1 min 01 s'],
  [{ type: 'step-started', step: 's', doing: 'undo', title: 'rebuild 2 tables' }, 's: undo started, rebuild 2 tables'],
  [{ type: 'step-ended', step: 's', doing: 'undo', ms: 12 }, 's: undo ended after 12 ms'],
  [{ type: 'progress', step: 's', what: 'copied', done: 1500, of: 3000, unit: 'rows' }, 's: copied, 1,500 rows of 3,000 rows (50 %)'],
  [{ type: 'progress', step: 's', what: 'dumped', done: 1536, of: null, unit: 'bytes' }, 's: dumped, 1.5 KiB'],
  [{ type: 'journal-written', what: 'receipt', step: 's' }, ''],
  [{ type: 'swap', step: 's', moment: 'before' }, 's: swap begins'],
  [{ type: 'swap', step: 's', moment: 'sent' }, ''],
  [{ type: 'lock-held', step: 's', object: 'public.t', ms: 3.2 }, 's: lock on public.t held for 3 ms'],
  [{ type: 'lock-refused', query: 'swap', attempt: 2, blockers: ['pid 7 (app)'] }, 'lock for swap not granted, attempt 2; in the way: pid 7 (app)'],
  [{ type: 'sql', step: 's', text: 'SELECT 1' }, ''],
  [
    {
      type: 'found',
      finding: {
        code: 'table-not-found',
        severity: 'block',
        message: 'public.t does not exist',
        hint: 'Name another.',
        step: 's',
        at: { file: 'plan.yml', line: 3, column: 5 },
      },
    },
    'plan.yml:3:5: refused [table-not-found] s: public.t does not exist\n  HINT: Name another.',
  ],
  [
    { type: 'file-stored', name: 'n', digest: 'ab'.repeat(32), bytes: 5, expires: '2026-12-01T00:00:00Z' },
    'stored n (5 B, sha256 abababababab…, expires 2026-12-01)',
  ],
  [{ type: 'command-line', step: 's', line: 'ok' }, 's| ok'],
  [{ type: 'said', text: 'hello' }, 'hello'],
];

describe('log lines', () => {
  test.each(said)('say %j', (event, line) => {
    expect(text(event)).toBe(line);
  });

  test('give times and sizes a unit that fits', () => {
    expect([0, 999, 1000, 59_999, 60_000, 3_600_000].map(duration)).toEqual(['0 ms', '999 ms', '1.0 s', '59.9 s', '1 min 00 s', '1 h 00 min']);
    expect([0, 1023, 1024, 5 * 1024 ** 3, 3 * 1024 ** 4].map(size)).toEqual(['0 B', '1023 B', '1.0 KiB', '5.0 GiB', '3.0 TiB']);
  });
});

describe('the ending in a terminal', () => {
  test('of a refusal names what is in the way, where, and what to do', () => {
    expect(ending(refusal)).toBe(
      [
        'migrate: refused. The schema of production changed since the rehearsal.',
        '  migrations/plan.yml:12:7: refused [table-not-found] exports-types: public.nowhere does not exist (keys: a, b)',
        '    HINT: Name a table of production.',
      ].join('\n'),
    );
  });

  test('of a rehearsal lists only checks that did not pass, and the tables of its sections', () => {
    const lines = ending(rehearsal);
    expect(lines).toContain('FAIL nothing of ours is left: expected 0 objects, found 1 object');
    expect(lines).toContain('checks: 4 of 6 passed');
    expect(lines).toContain('    public.bazaar-vid_metric  389   retire: no code names it');
  });
});
