-- per column of one table ($1, $2) what a probe row needs to know; locks nothing
SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typname AS base, t.typcategory::text AS category,
       CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS length,
       a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS defaulted, a.attgenerated <> '' OR a.attidentity = 'a' AS computed,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_expression,
       (SELECT pg_catalog.quote_literal(e.enumlabel) FROM pg_catalog.pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder LIMIT 1) AS label,
       (SELECT pg_catalog.jsonb_build_object('schema', pn.nspname, 'name', p.relname, 'column', pa.attname)
          FROM pg_catalog.pg_constraint k
          JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
          JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
          JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[1]
         WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.conkey = ARRAY[a.attnum] ORDER BY k.oid LIMIT 1) AS parent,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey)) AS referencing
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relname = $2
ORDER BY a.attnum
