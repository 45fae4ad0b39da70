-- schemas of the user's that this role cannot dump whole, each with the first reason; pg_dump locks every table it dumps and reads every sequence, and refuses where row security filters; locks nothing
SELECT n.nspname AS schema,
       CASE WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') THEN 'no USAGE on the schema'
            ELSE (SELECT pg_catalog.format(CASE WHEN c.relkind = 'S' THEN 'no SELECT on sequence %I' WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'no SELECT on table %I' ELSE 'row level security filters table %I' END, c.relname)
                  FROM pg_catalog.pg_class c
                  WHERE c.relnamespace = n.oid
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
                    AND CASE WHEN c.relkind IN ('r', 'p') THEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.row_security_active(c.oid)
                             WHEN c.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                             ELSE false END
                  ORDER BY c.relname LIMIT 1)
       END AS why
FROM pg_catalog.pg_namespace n
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname
