-- whole, valid, immediate unique indexes over plain columns of tables ($1 oids); locks nothing
SELECT i.indrelid AS oid, i.indexrelid::regclass::text AS name,
       (SELECT array_agg(a.attname::text ORDER BY u.o) FROM unnest(i.indkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n WHERE u.o <= i.indnkeyatts) AS columns
FROM pg_index i
WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY 2
