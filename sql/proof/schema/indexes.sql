-- indexes of the schemas ($1) that no constraint owns, without ours (names matching $2); locks nothing
SELECT n.nspname AS schema, t.relname AS parent, c.relname AS name,
       pg_catalog.jsonb_build_object(
         'definition', pg_catalog.pg_get_indexdef(i.indexrelid),
         'valid', i.indisvalid,
         'replica-identity', i.indisreplident,
         'clustered', i.indisclustered
       ) AS facts
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't' AND c.relname !~ $2
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
