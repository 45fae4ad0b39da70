-- schemas of the user's that hold no extension and can be dropped whole, in name order; locks nothing
SELECT n.nspname AS schema FROM pg_catalog.pg_namespace n
WHERE n.nspname NOT IN ('public', 'information_schema') AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extnamespace = n.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY 1
