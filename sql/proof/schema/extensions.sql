-- extensions installed in the schemas ($1); locks nothing
SELECT n.nspname AS schema, NULL AS parent, e.extname AS name, pg_catalog.jsonb_build_object('version', e.extversion) AS facts
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE n.nspname = ANY ($1::text[])
