-- the statement that would put set-aside rows ($1: oid of the table before the run, in the name of its quarantine) back into the table that now has the name; locks nothing
SELECT pg_catalog.format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', t.oid::regclass,
         pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum),
         pg_catalog.string_agg(pg_catalog.format('%I::%s', a.attname, pg_catalog.format_type(b.atttypid, b.atttypmod)), ', ' ORDER BY a.attnum), q.oid::regclass) AS statement
FROM pg_catalog.pg_class q
JOIN pg_catalog.pg_class o ON o.oid = pg_catalog.substring(q.relname::text, '\d+$')::oid
JOIN pg_catalog.pg_class t ON t.relname = o.relname AND t.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = ANY ($2::text[])
JOIN pg_catalog.pg_attribute a ON a.attrelid = q.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT LIKE 'lossless\_%'
JOIN pg_catalog.pg_attribute b ON b.attrelid = t.oid AND b.attname = a.attname AND NOT b.attisdropped AND b.attgenerated = ''
WHERE q.oid = pg_catalog.to_regclass($1)
GROUP BY t.oid, q.oid
