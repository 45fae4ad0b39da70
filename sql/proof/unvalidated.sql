-- constraints of tables in the schemas ($1) that the server does not know to hold for every row, and indexes that no query can use; locks nothing
SELECT n.nspname AS schema, c.relname AS name, k.conname AS object, pg_catalog.pg_get_constraintdef(k.oid) AS definition, CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check' ELSE 'constraint' END AS kind
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT k.convalidated AND k.conparentid = 0 AND n.nspname = ANY ($1::text[])
UNION ALL
SELECT n.nspname, t.relname, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid), 'index'
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND t.relpersistence <> 't' AND n.nspname = ANY ($1::text[])
ORDER BY 1, 2, 3
