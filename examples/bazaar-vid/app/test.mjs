import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { after, before } from 'node:test';
import pg from 'pg';

/** The application's test of its export pages: what the code does with the schema of schema.ts, on the database of DATABASE_URL. It removes what it made. */
const { DATABASE_URL } = process.env;
if (!DATABASE_URL) throw new Error('DATABASE_URL is not set');
const db = new pg.Client({ connectionString: DATABASE_URL });

const user = `user_${randomUUID()}`;
let project;
let exported;

before(async () => {
  await db.connect();
  await db.query('INSERT INTO "bazaar-vid_user" (id, name, email) VALUES ($1, $2, $3)', [user, 'Test', `${user}@example.com`]);
  project = (await db.query('INSERT INTO "bazaar-vid_project" ("userId", title, props) VALUES ($1, $2, $3) RETURNING id', [user, 'Test project', {}])).rows[0]
    .id;
});

after(async () => {
  await db.query('DELETE FROM "bazaar-vid_user" WHERE id = $1', [user]);
  await db.end();
});

test('an export is created with an id of the database', async () => {
  const { rows } = await db.query('INSERT INTO "bazaar-vid_exports" (user_id, project_id, render_id) VALUES ($1, $2, $3) RETURNING *', [
    user,
    project,
    `render-${user}`,
  ]);
  assert.match(rows[0].id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(rows[0].status, 'pending');
  assert.equal(rows[0].format, 'mp4');
  exported = rows[0].id;
});

test('its progress is stored, and it is found among the exports of the project', async () => {
  await db.query('UPDATE "bazaar-vid_exports" SET status = $2, progress = 100, output_url = $3, completed_at = now() WHERE id = $1', [
    exported,
    'completed',
    'https://renders.example.com/x.mp4',
  ]);
  const { rows } = await db.query(
    'SELECT e.id, e.progress FROM "bazaar-vid_exports" e JOIN "bazaar-vid_project" p ON p.id = e.project_id JOIN "bazaar-vid_user" u ON u.id = e.user_id WHERE p.id = $1',
    [project],
  );
  assert.deepEqual(rows, [{ id: exported, progress: 100 }]);
});

test('its downloads are counted', async () => {
  await db.query('INSERT INTO "bazaar-vid_export_analytics" (export_id, event_type) VALUES ($1, $2), ($1, $2)', [exported, 'downloaded']);
  const { rows } = await db.query(
    'SELECT count(*)::int AS n FROM "bazaar-vid_export_analytics" a JOIN "bazaar-vid_exports" e ON e.id = a.export_id WHERE e.id = $1',
    [exported],
  );
  assert.equal(rows[0].n, 2);
});

test('an export of a project that does not exist is refused', async () => {
  await assert.rejects(
    db.query('INSERT INTO "bazaar-vid_exports" (user_id, project_id, render_id) VALUES ($1, $2, $3)', [user, randomUUID(), `lost-${user}`]),
    { code: '23503' },
  );
});

test('usage is written to the prefixed table only', async () => {
  await db.query('INSERT INTO "bazaar-vid_api_usage_metric" (provider, model, user_id, project_id, success) VALUES ($1, $2, $3, $4, true)', [
    'openai',
    'model-1',
    user,
    project,
  ]);
  await db.query('DELETE FROM "bazaar-vid_api_usage_metric" WHERE user_id = $1', [user]);
  const { rows } = await db.query("SELECT to_regclass('public.api_usage_metric') AS duplicate");
  assert.equal(rows[0].duplicate, null);
});

test('a promo code is used once per user', async () => {
  const code = (
    await db.query('INSERT INTO "bazaar-vid_promo_codes" (code, discount_type, discount_value) VALUES ($1, $2, $3) RETURNING id', [
      `T${Date.now()}`,
      'percentage',
      20,
    ])
  ).rows[0].id;
  const use = () => db.query('INSERT INTO "bazaar-vid_promo_code_usage" (promo_code_id, user_id, discount_applied) VALUES ($1, $2, $3)', [code, user, 20]);
  await use();
  await assert.rejects(use(), { code: '23505' });
  await db.query('INSERT INTO "bazaar-vid_paywall_events" (user_id, event_type) VALUES ($1, $2)', [user, 'viewed']);
  await db.query('DELETE FROM "bazaar-vid_promo_codes" WHERE id = $1', [code]);
});

test('a project takes its exports and their downloads with it', async () => {
  await db.query('DELETE FROM "bazaar-vid_project" WHERE id = $1', [project]);
  const { rows } = await db.query(
    'SELECT (SELECT count(*)::int FROM "bazaar-vid_exports" WHERE id = $1) AS exports, (SELECT count(*)::int FROM "bazaar-vid_export_analytics" WHERE export_id = $1) AS events',
    [exported],
  );
  assert.deepEqual(rows, [{ exports: 0, events: 0 }]);
});
