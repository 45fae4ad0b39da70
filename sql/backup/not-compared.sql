-- relations whose rows a backup does not prove: materialized views (made anew) and foreign tables (held elsewhere), without the given schemas ($1); locks nothing
SELECT pg_catalog.format('%s %s.%s', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, n.nspname, c.relname) AS what
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('m', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT n.nspname = ANY ($1::text[])
ORDER BY 1
