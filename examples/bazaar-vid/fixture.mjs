import { readFile } from 'node:fs/promises';
import pg from 'pg';

/** The files that make each database, in order. */
export const databases = {
  production: ['schema', 'rows', 'production'],
  'production-duplicates': ['schema', 'rows', 'production', 'production-duplicates'],
  development: ['schema', 'rows', 'development'],
  // the schemas that the plan must leave, without what the Drizzle migration adds
  'production-after': ['schema', 'rows', 'production', 'production-after'],
  'development-after': ['schema', 'rows', 'development', 'development-after'],
  'development-uuid': ['schema', 'rows', 'development', 'development-uuid'],
};

/** Development holds a sample: this part of production's rows. */
const developmentSize = 0.05;

/**
 * Builds one database of the scenario in an empty database, in one transaction, owned by the role of the URL.
 * The figures of the scenario hold at scale 1; at another scale the tables that grow with the number of users
 * (users, accounts, projects, messages, scenes, exports, analytics, usage …) have that many times the rows, and always 2 orphans with 6 events. Types: fixture.d.mts.
 */
export async function build(url, which, { scale = 1 } = {}) {
  const files = databases[which];
  if (files === undefined) throw new Error(`unknown fixture ${which}: expected one of ${Object.keys(databases).join(', ')}`);
  const size = which.startsWith('development') ? developmentSize : scale;
  const client = new pg.Client({ connectionString: url, application_name: 'bazaar-vid fixture' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT set_config('bazaar.size', $1, true), set_config('TimeZone', 'UTC', true)", [String(size)]);
    for (const file of files) await client.query(await readFile(new URL(`fixture/${file}.sql`, import.meta.url), 'utf8'));
    await client.query('COMMIT');
    await client.query('ANALYZE');
  } finally {
    await client.end();
  }
}
