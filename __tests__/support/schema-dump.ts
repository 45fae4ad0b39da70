import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Cluster } from './cluster.js';

/** `pg_dump -s` of everything that is not ours, without the random \restrict key: two of them are equal when the schemas are. */
export function schemaDump(cluster: Cluster, database: string): string {
  const text = execFileSync(
    join(cluster.bin, 'pg_dump'),
    ['-s', '-h', cluster.socket, '-p', String(cluster.port), '-U', 'postgres', '--exclude-schema=lossless*', database],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  return text
    .split('\n')
    .filter((line) => !/^\\(un)?restrict /.test(line))
    .join('\n');
}

/** Names of everything of ours that is left in the database: schemas, triggers, functions and tables; [] after undo or cleanup. */
export async function leftovers(cluster: Cluster, database: string): Promise<readonly string[]> {
  const { rows } = await cluster.admin(
    `SELECT 'schema ' || nspname AS what FROM pg_namespace WHERE nspname LIKE 'lossless\\_%'
     UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE '%\\_lossless\\_%'
     UNION ALL SELECT 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'lossless'
     UNION ALL SELECT 'table ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'lossless' AND c.relkind = 'r' ORDER BY 1`,
    database,
  );
  return rows.map((r: { what: string }) => r.what);
}
