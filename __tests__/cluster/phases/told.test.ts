import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { readPlanFile } from '../../../src/plan/read.js';
import { cleanup } from '../../../src/phases/cleanup.js';
import { kinds } from '../../../src/steps/index.js';
import { prepareJourney, type Journey } from '../../support/journey.js';
import { phaseContext } from '../../support/phase-context.js';
import { terminal, type Ended } from '../../support/terminal.js';

const plan = `name: told
steps:
  - id: note
    sql: { file: note.sql, undo: note.undo.sql }
  - id: unused
    retire-tables: { tables: [bazaar-vid_metric] }
verify:
  queries: [{ name: users as rehearsed, sql: 'SELECT count(*) FROM "bazaar-vid_user"', expect: 565 }]
watch:
  queries: [{ name: slow while a rollback waits, sql: "SELECT count(pg_sleep(20)) FROM pg_stat_activity WHERE application_name = 'lossless rollback waiting'", expect: 0 }]
`;

let journey: Journey;
beforeAll(async () => {
  journey = await prepareJourney({
    plan,
    which: 'production',
    files: { 'note.sql': 'CREATE TABLE note (id int);\n', 'note.undo.sql': 'DROP TABLE note;\n', 'nothing.sql': 'SELECT 1;\n' },
    allow: 'drop-table',
  });
}, 300_000);
afterAll(() => journey.remove());

const day = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString();
const phase = (name: string, url: string, inputs: Readonly<Record<string, string>> = {}, now?: string): Promise<Ended> =>
  terminal(name, { plan: journey.plan, store: journey.store, inputs: { ...journey.inputs(url), ...inputs }, ...(now === undefined ? {} : { now }) });

/** The phase ended with this code, and its report holds findings of these kinds. */
function told(ended: Ended, code: number, ...codes: readonly string[]): void {
  if (ended.code !== code) throw new Error(`ended with ${String(ended.code)}, expected ${String(code)}:\n${ended.out}`);
  const report = /report: (.*)\.html/.exec(ended.out)?.[1] ?? '';
  const { findings } = JSON.parse(readFileSync(`${report}.json`, 'utf8')) as { findings: { code: string }[] };
  expect(findings.map((f) => f.code)).toEqual(expect.arrayContaining([...codes]));
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

describe('a run tells', () => {
  test('who approved it, whether its backup was proved, that a cleanup is too early, and that a rollback left everything as before', async () => {
    const url = await journey.production('told');
    const migrated = await phase('migrate', url, { 'backup-identity': journey.identity });
    told(migrated, 0, 'approved-by', 'backup-proved');
    const run = migrated.outputs['run'] ?? '';
    told(await phase('cleanup', url, { confirm: run }, day(6)), 2, 'retention-not-over');
    told(await phase('rollback', url, { confirm: run }), 0, 'undone-as-before');
    told(await phase('migrate', url), 0, 'backup-not-proved');
  });

  test('that it failed and undid itself when production answers a verify query otherwise, and that an unfinished run stands in the way', async () => {
    const url = await journey.production('failed');
    await sql(
      url,
      `INSERT INTO "bazaar-vid_user" SELECT n.* FROM "bazaar-vid_user" u, jsonb_populate_record(u, '{"id": "late", "email": "late@example.org"}') n LIMIT 1`,
    );
    told(await phase('migrate', url), 1, 'run-failed');
    await sql(url, "UPDATE lossless.run SET state = 'failed'");
    told(await phase('migrate', url), 2, 'run-unfinished');
  });

  test('that archives of a store that expires are not enough for a cleanup, and what was left behind by it', async () => {
    const url = await journey.production('cleaned');
    const migrated = await phase('migrate', url);
    told(migrated, 0);
    const run = migrated.outputs['run'] ?? '';
    told(await phase('watch', url), 0);
    await sql(url, "UPDATE lossless.run SET retain_until = now() - interval '1 minute'");
    const cx = phaseContext(await readPlanFile(journey.plan, kinds), { ...journey.inputs(url), confirm: run }, { storeDirectory: journey.store });
    const expiring = {
      ...cx,
      store: async () => ({
        ...(await cx.store()),
        put: async (name: string, path: string) => ({ ...(await (await cx.store()).put(name, path)), expires: new Date(day(30)) }),
      }),
    };
    await expect(cleanup.run(expiring)).rejects.toMatchObject({ findings: [{ code: 'archive-expires' }] });
    await cx.close();
    await sql(url, 'CREATE TABLE lossless.mine (id int); INSERT INTO lossless.mine VALUES (1)');
    // the dump of the archive that was refused read the table too
    told(await phase('cleanup', url, { confirm: run, allow: 'drop-table retired-in-use' }), 0, 'left-behind');
  });

  test('a watch that a rollback waits for, and that makes room', async () => {
    const url = await journey.production('yields');
    told(await phase('migrate', url), 0);
    const wish = new pg.Client({ connectionString: url, application_name: 'lossless rollback waiting' });
    await wish.connect();
    await wish.query('SELECT pg_advisory_lock(7811887669352329986)');
    const started = Date.now();
    const watched = await phase('watch', url);
    await wish.end();
    told(watched, 0, 'watch-yielded');
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  test('a rehearsal whose undo does not lead back to the start', async () => {
    const store = join(journey.dir, 'not-equal');
    mkdirSync(store);
    const file = join(journey.dir, 'not-equal.yml');
    writeFileSync(file, 'name: not equal\nsteps: [{ id: note, sql: { file: note.sql, undo: nothing.sql } }]\n');
    const url = await journey.production('not_equal');
    const inputs = { ...journey.inputs(url), confirm: '', 'backup-identity': journey.identity };
    told(await terminal('backup', { plan: file, store, inputs }), 0);
    told(await terminal('rehearse', { plan: file, store, inputs }), 1, 'not-equal-after-undo');
  });

  test('which errors the writers of a rehearsal got', async () => {
    const store = join(journey.dir, 'writers');
    mkdirSync(store);
    const file = join(journey.dir, 'writers.yml');
    writeFileSync(file, 'name: writers\nsteps: [{ id: types, rebuild-tables: { odd: { columns: { n: { type: bigint } } } } }]\n');
    const url = await journey.production('writers');
    // a copy of the only row breaks a rule that the row itself is older than
    await sql(url, 'CREATE TABLE odd (id serial PRIMARY KEY, n int); INSERT INTO odd (n) VALUES (-1); ALTER TABLE odd ADD CHECK (n > 0) NOT VALID');
    const inputs = { ...journey.inputs(url), confirm: '', 'backup-identity': journey.identity };
    told(await terminal('backup', { plan: file, store, inputs }), 0);
    told(await terminal('rehearse', { plan: file, store, inputs }), 1, 'writer-errors');
  });
});
