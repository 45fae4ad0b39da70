import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

const { DATABASE_URL } = process.env;
if (!DATABASE_URL) throw new Error('DATABASE_URL is not set');

const client = new pg.Client({ connectionString: DATABASE_URL });
await client.connect();
try {
  await migrate(drizzle(client), { migrationsFolder: fileURLToPath(new URL('drizzle', import.meta.url)) });
  console.log('migrations are up to date');
} finally {
  await client.end();
}
