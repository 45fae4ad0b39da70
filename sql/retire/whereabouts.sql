-- where tables ($1 oids) are now, with the foreign keys they have and whether both fences stand; locks nothing
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
       (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'valid', k.convalidated)), '[]') FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0) AS keys,
       ARRAY(SELECT t.tgname::text FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname LIKE 'aaa\_lossless\_fence%' AND t.tgenabled = 'A' ORDER BY 1) AS fences
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r'
