-- Constraints with the names $1 in the schemas $3, and the foreign keys from and to the tables with the oids $2: what an undo drops and a return makes again; locks nothing.
SELECT k.oid, k.conname::text AS name, n.nspname::text AS schema, c.relname::text AS table, c.oid AS table_oid, k.contype::text AS type,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid,
       pn.nspname::text AS parent_schema, p.relname::text AS parent, p.oid AS parent_oid,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(num, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.i) AS columns,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(num, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.i) AS parent_columns
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
 WHERE k.conparentid = 0
   AND ((k.conname::text = ANY ($1::text[]) AND n.nspname::text = ANY ($3::text[]))
        OR (k.contype = 'f' AND (k.conrelid = ANY ($2::oid[]) OR k.confrelid = ANY ($2::oid[]))))
 ORDER BY n.nspname, c.relname, k.conname
