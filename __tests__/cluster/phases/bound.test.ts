import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import pg from 'pg';
import { exportsPlan, prepareJourney, type Journey } from '../../support/journey.js';
import { schemaText, terminal, type Ended } from '../../support/terminal.js';

let journey: Journey;
let health: Server;
let healthy = true;

beforeAll(async () => {
  health = createServer((_request, response) => response.writeHead(healthy ? 200 : 500).end());
  const port = await new Promise<number>((done) => health.listen(0, '127.0.0.1', () => done((health.address() as { port: number }).port)));
  const plan = `${exportsPlan}watch:
  health: http://127.0.0.1:${String(port)}/up
  queries: [{ name: nobody is missing, sql: 'SELECT count(*) >= 565 FROM "bazaar-vid_user"', expect: true }]
`;
  journey = await prepareJourney({ plan, which: 'production' });
}, 300_000);
afterAll(async () => {
  health.close();
  await journey.remove();
});

const phase = (name: string, url: string, inputs: Readonly<Record<string, string>> = {}, store = journey.store, now?: string): Promise<Ended> =>
  terminal(name, { plan: journey.plan, store, inputs: { ...journey.inputs(url), ...inputs }, ...(now === undefined ? {} : { now }) });

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

/** A copy of the store in which one kind of evidence says something else, with the digest that belongs to it. */
function storeWith(name: string, suffix: string, change: (body: Record<string, unknown>) => Record<string, unknown>): string {
  const store = join(journey.dir, name);
  cpSync(journey.store, store, { recursive: true });
  for (const file of readdirSync(store).filter((f) => f.endsWith(suffix))) {
    const text = JSON.stringify(change(JSON.parse(readFileSync(join(store, file), 'utf8')) as Record<string, unknown>));
    writeFileSync(join(store, file), text);
    writeFileSync(join(store, `${file}.sha256`), `${createHash('sha256').update(text).digest('hex')}  ${file}\n`);
  }
  return store;
}

describe('migrate does only what was rehearsed and approved', () => {
  test.each([
    ['tool-version-changed', 'rehearsal.json', { toolVersion: '0.0.1' }],
    ['rehearsal-changed', 'approval.json', { rehearsalId: '000000000000' }],
  ])('%s', async (code, suffix, other) => {
    const url = await journey.production(code);
    const before = await schemaText(journey.cluster.bin, url);
    const ended = await phase(
      'migrate',
      url,
      {},
      storeWith(code, suffix, (body) => ({ ...body, ...other })),
    );
    expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 2 });
    expect(ended.out).toContain(code);
    expect(await schemaText(journey.cluster.bin, url)).toBe(before);
  });

  test('a gate does not open for a rehearsal that failed', async () => {
    const ended = await phase(
      'gate',
      '',
      {},
      storeWith('failed', 'rehearsal.json', (body) => ({ ...body, outcome: 'failed' })),
    );
    expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 2 });
    expect(ended.out).toContain('rehearsal-failed');
  });

  test('one row more than was approved is looked at again', async () => {
    const url = await journey.production('more');
    await sql(
      url,
      `INSERT INTO "bazaar-vid_exports" SELECT n.* FROM "bazaar-vid_exports" e, jsonb_populate_record(e, '{"id": "11111111-1111-4111-8111-111111111111", "render_id": "late", "project_id": "11111111-1111-4111-8111-111111111111"}') n LIMIT 1`,
    );
    const before = await schemaText(journey.cluster.bin, url);
    const ended = await phase('migrate', url);
    expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 2 });
    expect(ended.out).toContain('count-above-approved');
    expect(ended.out).toContain('3 rows would be set aside, approved were 2');
    expect(await schemaText(journey.cluster.bin, url)).toBe(before);
  });
});

describe('watch', () => {
  test('is red for an unhealthy application and for a query with another answer, and cleanup then refuses', async () => {
    const url = await journey.production('watched');
    const migrated = await phase('migrate', url);
    expect({ code: migrated.code, out: migrated.out }).toMatchObject({ code: 0 });
    healthy = false;
    const sick = await phase('watch', url);
    expect({ code: sick.code, out: sick.out }).toMatchObject({ code: 1 });
    expect(sick.out).toContain('health-failed');
    healthy = true;
    expect((await phase('watch', url)).code).toBe(0);
    await sql(url, 'ALTER TABLE "bazaar-vid_user" RENAME TO users_then; CREATE VIEW "bazaar-vid_user" AS SELECT * FROM users_then LIMIT 1');
    const wrong = await phase('watch', url);
    expect({ code: wrong.code, out: wrong.out }).toMatchObject({ code: 1 });
    expect(wrong.out).toContain('query-unexpected');
    const late = new Date(Date.now() + 8 * 86_400_000).toISOString();
    const cleanup = await phase('cleanup', url, { confirm: migrated.outputs['run'] ?? '' }, journey.store, late);
    expect({ code: cleanup.code, out: cleanup.out }).toMatchObject({ code: 2 });
    expect(cleanup.out).toContain('watch-not-green');
  });
});
