-- which of the schemas ($1) exist; locks nothing
SELECT n.nspname AS schema, NULL AS parent, n.nspname AS name, '{}'::pg_catalog.jsonb AS facts
FROM pg_catalog.pg_namespace n
WHERE n.nspname = ANY ($1::text[])
