-- triggers on tables and views of the schemas ($1) without ours (names matching $2) and without those that constraints or partitioned parents make; locks nothing
SELECT n.nspname AS schema, c.relname AS parent, g.tgname AS name,
       pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_triggerdef(g.oid), 'enabled', CASE g.tgenabled WHEN 'O' THEN 'origin' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'disabled' END) AS facts
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgname !~ $2
