-- order of the columns and comments, which are no part of a schema's fingerprint, per table; locks nothing
SELECT n.nspname AS schema, c.relname AS name,
       pg_catalog.array_agg(a.attname ORDER BY a.attnum)::text[] AS columns,
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
       coalesce(pg_catalog.jsonb_object_agg(a.attname, d.description) FILTER (WHERE d.description IS NOT NULL), '{}') AS comments
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = a.attnum
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname = ANY ($1::text[])
 GROUP BY n.nspname, c.relname, c.oid
