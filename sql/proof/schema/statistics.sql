-- extended statistics objects of the schemas ($1); locks nothing
SELECT n.nspname AS schema, c.relname AS parent, s.stxname AS name,
       pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_statisticsobjdef(s.oid)) AS facts
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
WHERE n.nspname = ANY ($1::text[])
