-- Lists the tables of schemas $1 whose rows the guard counts (a partitioned table counts as a whole); locks nothing.
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'p' AS partitioned
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname::text = ANY ($1::text[])
 ORDER BY n.nspname, c.relname
