-- column lists of the unique, complete, immediate indexes of a table; locks nothing
SELECT array_agg(a.attname::text ORDER BY u.o) AS columns
FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n
WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND u.o <= i.indnkeyatts
GROUP BY i.indexrelid
