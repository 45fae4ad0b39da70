-- constraints of tables and domains of the schemas ($1) without ours (names matching $2); NOT NULL is a fact of the column (PostgreSQL 18 names it besides); locks nothing
SELECT n.nspname AS schema, coalesce(c.relname, t.typname) AS parent, k.conname AS name,
       pg_catalog.jsonb_build_object(
         'kind', CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check' ELSE 'exclusion' END,
         'definition', pg_catalog.pg_get_constraintdef(k.oid),
         'validated', k.convalidated,
         'index', CASE WHEN k.contype IN ('p', 'u', 'x') THEN pg_catalog.pg_get_indexdef(k.conindid) END
       ) AS facts
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
WHERE n.nspname = ANY ($1::text[]) AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0 AND k.conname !~ $2
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND ((d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = k.conrelid) OR (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = k.contypid)))
