-- triggers of ours (names matching $1) on tables outside our schemas, in a clone; locks nothing
SELECT n.nspname AS schema, c.relname AS name, g.tgname AS trigger
FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgname ~ $1
