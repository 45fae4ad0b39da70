import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { prepareJourney, type Journey } from '../../support/journey.js';
import { expectCode, schemaText, terminal, type Ended } from '../../support/terminal.js';

const plan = `name: journey
retention: 7d
steps:
  - id: note
    sql: { file: note.sql, undo: note.undo.sql }
  - id: unused
    retire-tables: { tables: [bazaar-vid_component_error, bazaar-vid_patch], only-if: empty }
  - id: legacy
    inspect-tables: [bazaar-vid_metric]
verify:
  queries:
    - { name: the note is there, sql: 'SELECT count(*) FROM note', expect: 1 }
maintenance: { on: 'echo on >> maintenance.log', off: 'echo off >> maintenance.log' }
`;

let journey: Journey;
const day = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString();

beforeAll(async () => {
  journey = await prepareJourney({
    plan,
    which: 'production',
    files: { 'note.sql': 'CREATE TABLE note (id int PRIMARY KEY);\nINSERT INTO note VALUES (1);\n', 'note.undo.sql': 'DROP TABLE note;\n' },
    allow: 'drop-table',
  });
}, 300_000);
afterAll(async () => {
  // undefined when the preparation failed
  await (journey as Journey | undefined)?.remove();
});

async function rows<T>(url: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

const phase = (name: string, url: string, inputs: Readonly<Record<string, string>>, now?: string): Promise<Ended> =>
  terminal(name, { plan: journey.plan, store: journey.store, inputs: { ...journey.inputs(url), ...inputs }, ...(now === undefined ? {} : { now }) });

describe('a run through its life', () => {
  test('migrate, watch, a second migrate that finds it done, cleanup too early, cleanup in time: of ours only the journal is left', async () => {
    const url = await journey.production('life');
    const migrated = await phase('migrate', url, {});
    expectCode(migrated, 0);
    const run = migrated.outputs['run'] ?? '';
    expect(run).toMatch(/^r[0-9a-f]{8}$/);
    expect(await rows(url, 'SELECT state FROM lossless.run')).toEqual([{ state: 'migrated' }]);
    expect(await rows(url, `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'lossless_old_${run}'`)).toEqual([{ n: 2 }]);

    const again = await phase('migrate', url, {});
    expectCode(again, 0);
    expect(again.out).toContain('already');

    const watched = await phase('watch', url, { confirm: '' }, day(1));
    expectCode(watched, 0);
    const status = await phase('status', url, { confirm: '' });
    expectCode(status, 0);
    expect(status.outputs['rollback-possible']).toBe('true');

    const early = await phase('cleanup', url, { confirm: run }, day(5));
    expectCode(early, 2);
    expect(early.out).toContain(day(7).slice(0, 10));

    const unwatched = await phase('cleanup', url, { confirm: run }, day(8));
    expectCode(unwatched, 2);
    expect(unwatched.out).toContain('watch-not-green');

    expectCode(await phase('watch', url, { confirm: '' }, day(8)), 0);
    expectCode(await phase('cleanup', url, { confirm: run }, day(8.1)), 0);
    expect(await rows(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'lossless%'")).toEqual([{ nspname: 'lossless' }]);
    expect((await rows<{ t: string }>(url, "SELECT tablename AS t FROM pg_tables WHERE schemaname = 'lossless' ORDER BY 1")).map((r) => r.t)).toEqual([
      'evidence',
      'file',
      'receipt',
      'run',
      'step',
      'watch',
    ]);
    expect(await rows(url, "SELECT proname FROM pg_proc WHERE pronamespace = 'lossless'::regnamespace")).toEqual([]);
  }, 300_000);

  test('rollback brings the schema of the start back, and the plan can be carried out again', async () => {
    const url = await journey.production('back');
    const start = await schemaText(journey.cluster.bin, url);
    const migrated = await phase('migrate', url, {});
    expectCode(migrated, 0);
    expectCode(await terminal('rollback', { store: journey.store, inputs: { ...journey.inputs(url), confirm: migrated.outputs['run'] ?? '' } }), 0);
    expect(await schemaText(journey.cluster.bin, url)).toBe(start);
    const second = await phase('migrate', url, {});
    expectCode(second, 0);
    expect(second.outputs['run']).not.toBe(migrated.outputs['run']);
  }, 300_000);

  test('a plan that meets what an open run holds is refused by its name', async () => {
    const url = await journey.production('held');
    expectCode(await phase('migrate', url, {}), 0);
    const other = await prepareSecond(url);
    expectCode(other, 2);
    expect(other.out).toContain('held-by-run');
  }, 300_000);
});

/** The same steps under another name are another plan. */
async function prepareSecond(url: string): Promise<Ended> {
  const file = join(journey.dir, 'second.yml');
  writeFileSync(file, plan.replace('name: journey', 'name: second'));
  const store = join(journey.dir, 'second-store');
  mkdirSync(store);
  return terminal('backup', { plan: file, store, inputs: { ...journey.inputs(url), confirm: '' } });
}
