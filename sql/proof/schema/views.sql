-- views and materialized views of the schemas ($1) with their definitions; locks nothing
SELECT n.nspname AS schema, NULL AS parent, c.relname AS name,
       pg_catalog.jsonb_build_object(
         'kind', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END,
         'definition', pg_catalog.pg_get_viewdef(c.oid),
         'options', (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o COLLATE "C") FROM pg_catalog.unnest(c.reloptions) o),
         'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END
       ) AS facts
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
