-- what is in our schemas beside the journal; locks nothing
SELECT c.relkind::text AS kind, n.nspname AS schema, c.relname AS name, '' AS arguments
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname = 'lossless' AND NOT (c.relname = ANY ($1::text[])) OR n.nspname LIKE 'lossless\_new\_%' OR n.nspname LIKE 'lossless\_old\_%') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT 'function', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'lossless'
UNION ALL
SELECT 'schema', n.nspname, '', '' FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'lossless\_new\_%' OR n.nspname LIKE 'lossless\_old\_%'
ORDER BY 1, 2, 3
