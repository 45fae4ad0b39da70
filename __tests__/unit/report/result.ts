import type { RunResult } from '../../../src/report/event.js';

/** A rehearsal with something in every part, hostile names among it. */
export const rehearsal: RunResult = {
  phase: 'rehearse',
  outcome: 'passed',
  sentence: 'The plan was applied to a clone of production, undone without a trace, and applied again.',
  plan: { name: 'align-production-with-schema-ts', id: 'a1b2c3d4e5f6', digest: 'a1b2c3d4e5f6'.padEnd(64, '0'), file: 'migrations/plan.yml' },
  database: 'production',
  run: 'r0badcafe',
  who: '@octo-maintainer',
  commit: '0123456789abcdef0123456789abcdef01234567',
  startedAt: '2026-11-22T16:04:31.000Z',
  endedAt: '2026-11-22T16:06:12.500Z',
  toolVersion: '0.1.0',
  findings: [
    {
      code: 'not-owner',
      severity: 'warn',
      message: 'role "app" is not the owner of `public.a|b`\nsecond line',
      hint: 'Grant it to <app>.',
      step: 'exports-types',
      object: 'public.a|b',
    },
    { code: 'already-done', severity: 'note', message: 'export_id is uuid already', step: 'dev-export-analytics' },
  ],
  failure: null,
  checks: [
    { name: 'bazaar-vid_exports.id', criterion: 'types', expected: 'uuid', actual: 'uuid', verdict: 'pass' },
    { name: 'bazaar-vid_exports.user_id', criterion: 'types', expected: 'character varying(255)', actual: 'character varying(255)', verdict: 'pass' },
    { name: 'exports_project_fk', criterion: 'foreign-keys', expected: 'validated', actual: 'validated', verdict: 'pass' },
    { name: 'rows of exports', criterion: 'data', expected: '134 = 132 + 2 quarantined', actual: '132 + 2', verdict: 'pass' },
    { name: 'latest exports of a user', criterion: 'performance', expected: 'at most 1.2 times', actual: 'in rehearsal h7', verdict: 'not-measured' },
    { name: 'application test', criterion: 'application', expected: 'npm test ends with 0', actual: 'could not start', verdict: 'aborted' },
    { name: 'nothing of ours is left', criterion: 'other', expected: '0 objects', actual: '1 object', verdict: 'fail' },
  ],
  tables: [
    { step: 'exports-types', table: 'public.bazaar-vid_exports', before: 134, after: 132, quarantined: 2, checksum: '8341234567890123456', proof: 'per-key' },
    { step: 'unused-tables', table: 'public.bazaar-vid_patch', before: 0, after: null, quarantined: 0, checksum: null, proof: 'none' },
  ],
  notCompared: ['sequence values, because they move while writers run'],
  locks: { longestMs: 41.4, budgetMs: 1000, held: [{ step: 'exports-types', object: 'public.bazaar-vid_exports', ms: 41.4 }] },
  rollback: { possible: true, until: '2026-11-29T16:06:12.500Z', rehearsed: 'h7', backlog: 3, blockedBy: [] },
  timings: [
    { step: 'exports-types', what: 'preflight', from: 0, ms: 812 },
    { step: 'exports-types', what: 'apply', from: 812, ms: 61_000 },
    { step: 'unused-tables', what: 'apply', from: 61_900, ms: 90 },
  ],
  sql: [
    { step: 'exports-types', text: 'CREATE TABLE "lossless_new_r1"."bazaar-vid_exports" (id uuid)' },
    { step: 'unused-tables', text: 'COMMENT ON TABLE x IS $$\n```\n</details>\n$$' },
  ],
  artifacts: [{ name: 'lossless-production-123-1.rehearsal.json', digest: 'f'.repeat(64), bytes: 20_480, expires: '2026-12-22T16:06:12.000Z' }],
  sections: [
    {
      title: 'Inspected tables',
      head: ['Table', 'Rows', 'Advice'],
      rows: [['public.bazaar-vid_metric', '389', 'retire: no code names it']],
      note: 'Facts for a decision; nothing was changed.',
    },
    { title: 'Orphans', head: ['Key', 'Count'], rows: [] },
  ],
  next: [{ who: 'a reviewer', what: 'approve environment production-approval, or reject it' }],
  outputs: { outcome: 'passed', 'plan-id': 'a1b2c3d4e5f6' },
};

/** A refusal before anything was touched, with a failure's fields empty. */
export const refusal: RunResult = {
  ...rehearsal,
  phase: 'migrate',
  outcome: 'refused',
  sentence: 'The schema of production changed since the rehearsal.',
  run: null,
  checks: [],
  tables: [],
  notCompared: [],
  findings: [
    {
      code: 'table-not-found',
      severity: 'block',
      message: 'public.nowhere does not exist',
      hint: 'Name a table of production.',
      step: 'exports-types',
      at: { file: 'migrations/plan.yml', line: 12, column: 7 },
      keys: ['a', 'b'],
    },
  ],
  locks: { longestMs: null, budgetMs: 1000, held: [] },
  rollback: null,
  timings: [],
  sql: [],
  artifacts: [],
  sections: [],
  next: [],
};
