import pg from 'pg';

/** What the scenario's databases hold, asked of them directly: nothing here comes from the tool that is being judged. */

const orphanProject = 'a161a5cc-886a-48dc-be84-84d31e131d88';
const tail = (table) => table.replace('bazaar-vid_', '');
/** Rows that the live writers own, and the rows that the plan sets aside, by table: the rest is the fixture's. */
const projects = (column) => `${column} NOT IN (SELECT id FROM public."bazaar-vid_project" WHERE "userId" LIKE 'writer\\_%')`;
const fixtureRows = {
  'bazaar-vid_user': `id NOT LIKE 'writer\\_%'`,
  'bazaar-vid_project': `"userId" NOT LIKE 'writer\\_%'`,
  'bazaar-vid_message': projects('"projectId"'),
  'bazaar-vid_scene': projects('"projectId"'),
  'bazaar-vid_exports': `user_id NOT LIKE 'writer\\_%' AND project_id::text <> '${orphanProject}'`,
  'bazaar-vid_export_analytics': `user_agent IS DISTINCT FROM 'writer' AND export_id::text <> ALL ($1)`,
  'bazaar-vid_api_usage_metric': `provider <> 'writer'`,
};
const orphanExports = `SELECT coalesce(array_agg(id::text), '{}') AS ids FROM public."bazaar-vid_exports" WHERE project_id::text = '${orphanProject}'`;

async function on(url, work) {
  const client = new pg.Client({ connectionString: url, application_name: 'bazaar-vid proof' });
  await client.connect();
  try {
    return await work(async (sql, values = []) => (await client.query(sql, values)).rows);
  } finally {
    await client.end();
  }
}

/** Keys of the exports whose project is gone. */
export const orphansOf = (url) => on(url, async (rows) => (await rows(orphanExports))[0].ids);

/**
 * Rows of every table in public, with a checksum of their text, without those of the live writers and those that the plan sets aside.
 * A uuid's text is the text that it was made from, so a table whose keys changed their type has the same checksum.
 */
export const contentsOf = (url, orphans) =>
  on(url, async (rows) => {
    const found = {};
    for (const { name } of await rows(`SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = 'public' ORDER BY 1`)) {
      const which = fixtureRows[name] ?? 'true';
      const [{ n, sum }] = await rows(
        `SELECT count(*)::int AS n, coalesce(sum(hashtextextended(t::text, 0)), 0)::text AS sum FROM public."${name}" t WHERE ${which}`,
        which.includes('$1') ? [orphans] : [],
      );
      found[name] = { rows: n, sum };
    }
    return found;
  });

/** Rows in quarantine of a run, by the table of our schema, most first. */
export const quarantinedIn = (url, run) =>
  on(url, async (rows) => {
    const tables = await rows(
      `SELECT c.relname AS name FROM pg_catalog.pg_class c WHERE c.relnamespace = to_regnamespace('lossless') AND c.relkind = 'r' AND c.relname LIKE 'quarantine\\_' || $1 || '\\_%'`,
      [run],
    );
    const counts = [];
    for (const { name } of tables) counts.push((await rows(`SELECT count(*)::int AS n FROM lossless."${name}"`))[0].n);
    return counts.filter((n) => n > 0).sort((a, b) => b - a);
  });

/** Whatever of the tool is left, beyond its journal. */
export const leftoversIn = (url) =>
  on(url, async (rows) =>
    (
      await rows(`
        SELECT 'schema ' || nspname AS what FROM pg_catalog.pg_namespace WHERE nspname LIKE 'lossless\\_%'
        UNION ALL SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgname LIKE '%lossless%'
        UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_catalog.pg_proc p WHERE p.pronamespace = to_regnamespace('lossless') OR p.prosrc LIKE '%lossless.%'
        UNION ALL SELECT 'relation ' || c.oid::regclass FROM pg_catalog.pg_class c
          WHERE c.relnamespace = to_regnamespace('lossless') AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'Lossless journal:%'
        ORDER BY 1`)
    ).map((row) => row.what),
  );

/** The keys of the plan, and whether each is validated. */
export const keysOf = (url) =>
  on(url, async (rows) =>
    (
      await rows(`
        SELECT conname AS name, convalidated AS validated FROM pg_catalog.pg_constraint
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conname IN ('exports_user_fk', 'exports_project_fk', 'export_analytics_export_fk') ORDER BY 1`)
    ).map((row) => `${row.name}${row.validated ? '' : ' (not validated)'}`),
  );

export const schemasOf = (url) =>
  on(url, async (rows) =>
    (await rows(`SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname !~ '^(pg_|information_schema)' ORDER BY 1`)).map((row) => row.name),
  );

/** Names of tables whose contents differ. */
export function differing(before, after) {
  return Object.keys(before)
    .filter((name) => after[name] !== undefined && (after[name].rows !== before[name].rows || after[name].sum !== before[name].sum))
    .map(tail);
}

/** The first lines in which two dumps differ; [] when they are equal. */
export function dumpDifference(expected, actual) {
  const [left, right] = [expected.split('\n'), actual.split('\n')];
  const only = (here, there, sign) => {
    const other = new Set(there);
    return here.filter((line) => !other.has(line)).map((line) => `${sign} ${line}`);
  };
  if (expected === actual) return [];
  const lines = [...only(left, right, '-'), ...only(right, left, '+')];
  return lines.length === 0 ? ['the same lines in another order'] : lines.slice(0, 12);
}
