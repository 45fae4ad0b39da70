-- foreign keys to or from tables ($1 oids), with their columns and the words by which they name the parent; locks nothing
SELECT k.conname::text AS name, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid, obj_description(k.oid, 'pg_constraint') AS comment,
       c.oid AS child_oid, json_build_object('schema', cn.nspname, 'name', c.relname) AS child, c.relkind = 'p' AS partitioned,
       p.oid AS parent_oid, json_build_object('schema', pn.nspname, 'name', p.relname) AS parent,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o) AS parent_columns,
       ARRAY(SELECT format_type(a.atttypid, NULL) FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o) AS types,
       format('REFERENCES %I.%I(%s)', pn.nspname, p.relname, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)) AS words
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
ORDER BY 1
