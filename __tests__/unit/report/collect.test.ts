import { describe, expect, test } from '@jest/globals';
import { collector } from '../../../src/report/collect.js';
import { progressMeter } from '../../../src/report/progress.js';

describe('collecting the events of a phase', () => {
  test('times each step from its start to its end, and what has not ended until now', () => {
    let now = 1000;
    const events = collector(() => now);
    now = 1100;
    events.report({ type: 'step-started', step: 'a', doing: 'apply', title: 'A' });
    now = 1400;
    events.report({ type: 'step-ended', step: 'a', doing: 'apply', ms: 300 });
    events.report({ type: 'step-started', step: 'a', doing: 'verify', title: 'A' });
    now = 1450;
    expect(events.timings()).toEqual([
      { step: 'a', what: 'apply', from: 100, ms: 300 },
      { step: 'a', what: 'verify', from: 400, ms: 50 },
    ]);
  });

  test('keeps the longest locks, longest first', () => {
    const events = collector(() => 0);
    for (let i = 0; i < 500; i++) events.report({ type: 'lock-held', step: 's', object: `t${String(i)}`, ms: (i * 7) % 500 });
    expect(events.locks()).toHaveLength(100);
    expect(events.locks()[0]?.ms).toBe(499);
    expect(events.locks()[99]?.ms).toBe(400);
  });

  test('keeps each statement once per step, and says how many it left out', () => {
    const events = collector(() => 0);
    for (let i = 0; i < 3; i++) events.report({ type: 'sql', step: 's', text: 'SELECT 1' });
    events.report({ type: 'sql', step: 't', text: 'SELECT 1' });
    expect(events.sql()).toEqual([
      { step: 's', text: 'SELECT 1' },
      { step: 't', text: 'SELECT 1' },
    ]);
    events.report({ type: 'sql', step: 's', text: 'x'.repeat(9 * 1024 * 1024) });
    expect(events.sql().at(-1)?.text).toBe('-- 1 more statements were left out of this report');
  });

  test('keeps the stored files', () => {
    const events = collector(() => 0);
    events.report({ type: 'file-stored', name: 'n', digest: 'd', bytes: 3, expires: null });
    expect(events.artifacts()).toEqual([{ name: 'n', digest: 'd', bytes: 3, expires: null }]);
  });
});

describe('progress lines', () => {
  test('come once per second at most, with rate and time left, and always for the last value', () => {
    let now = 0;
    const meter = progressMeter(() => now);
    const line = (done: number): string | null => meter.line({ type: 'progress', step: 'exports', what: 'copied', done, of: 10_000, unit: 'rows' });
    expect(line(0)).toBe('exports: copied, 0 rows of 10,000 rows');
    now = 500;
    expect(line(1000)).toBeNull();
    now = 1000;
    expect(line(2000)).toBe('exports: copied, 2,000 rows of 10,000 rows, 2,000 rows/s, about 4.0 s left');
    now = 1200;
    expect(line(10_000)).toBe('exports: copied, 10,000 rows of 10,000 rows, 8,333 rows/s');
    expect(line(10_000)).toBeNull();
  });
});
