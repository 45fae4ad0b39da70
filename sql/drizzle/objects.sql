-- What there is under the given names ($1) in the given schemas ($2): tables, views, sequences (`owned`: by a column, so it follows its table), indexes, types, functions; locks nothing.
SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid,
       CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'type' WHEN 'm' THEN 'other' WHEN 'f' THEN 'other' ELSE 'table' END AS kind,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS identity, '' AS arguments,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0) AS owned
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname::text = ANY ($1::text[]) AND n.nspname::text = ANY ($2::text[])
UNION ALL
SELECT n.nspname::text, t.typname::text, t.oid, 'type', pg_catalog.format('%I.%I', n.nspname, t.typname), '', false
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typname::text = ANY ($1::text[]) AND n.nspname::text = ANY ($2::text[]) AND t.typtype IN ('e', 'd')
UNION ALL
SELECT n.nspname::text, p.proname::text, p.oid, 'function', pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),
       pg_catalog.pg_get_function_identity_arguments(p.oid), false
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.proname::text = ANY ($1::text[]) AND n.nspname::text = ANY ($2::text[]) AND p.prokind = 'f'
 ORDER BY 1, 2, 4, 5
