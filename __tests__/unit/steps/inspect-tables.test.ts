import { describe, expect, test } from '@jest/globals';
import { commonPrefix, recommend, type Inspection } from '../../../src/steps/inspect-tables.js';

const still: Inspection = {
  table: { schema: 'public', name: 't' },
  rows: 3,
  bytes: 8192,
  inserted: 0,
  updated: 0,
  deleted: 0,
  scans: 0,
  last_scan: null,
  since: null,
  dependents: [],
  functions: [],
  keys: [],
  mentions: [],
};
const use = { file: 'a.ts', line: 3, as: 't', declares: false };

describe('the recommendation for a table', () => {
  test('is keep when something depends on it or code uses it', () => {
    expect(recommend({ ...still, dependents: [{ oid: 1, kind: 'view', identity: 'public.v', schema: 'public' }] })).toEqual({
      what: 'keep',
      why: ['view public.v depends on it'],
    });
    expect(recommend({ ...still, rows: 0, mentions: [use] })).toEqual({ what: 'keep', why: ['the code mentions it in 1 places, first at a.ts:3'] });
    expect(recommend({ ...still, functions: ['public.f()'] }).what).toBe('keep');
  });
  test('is retire when it is empty and unused, or its rows are', () => {
    expect(recommend({ ...still, rows: 0 }).what).toBe('retire');
    expect(recommend(still).what).toBe('retire');
    expect(recommend({ ...still, mentions: [{ ...use, declares: true }] }).what).toBe('retire');
  });
  test('is decide when it was written or read, or the code is unknown', () => {
    expect(recommend({ ...still, inserted: 50 }).what).toBe('decide');
    expect(recommend({ ...still, scans: 1 }).what).toBe('decide');
    expect(recommend({ ...still, mentions: null }).what).toBe('decide');
  });
  test('the prefix of a project is what most tables share', () => {
    expect(commonPrefix(['bazaar-vid_user', 'bazaar-vid_patch', 'bazaar-vid_metric', 'api_usage_metric'])).toBe('bazaar-vid_');
    expect(commonPrefix(['user', 'user_group'])).toBe('');
  });
});
