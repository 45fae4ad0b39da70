-- declared foreign keys whose child is in the schemas ($1), NOT VALID ones too, with the operators they compare by and the key that names a child row; locks nothing
SELECT k.conname AS name, n.nspname AS child_schema, c.relname AS child_name, c.relkind = 'p' AS child_partitioned,
       pn.nspname AS parent_schema, p.relname AS parent_name, p.relkind = 'p' AS parent_partitioned,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.i) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(attnum, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.i) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(attnum, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS parent_columns,
       (SELECT pg_catalog.array_agg(pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname) ORDER BY u.i) FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY u(oid, i)
          JOIN pg_catalog.pg_operator op ON op.oid = u.oid JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace) AS operators,
       coalesce((SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.i) FROM pg_catalog.pg_index i CROSS JOIN pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, i)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum WHERE i.indrelid = k.conrelid AND i.indisprimary), '{}') AS key,
       k.confmatchtype = 'f' AS match_full, k.convalidated AS validated
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = ANY ($1::text[])
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", k.conname COLLATE "C"
