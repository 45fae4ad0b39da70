-- what each named schema ($1) is, and what would keep it from being renamed; locks nothing
SELECT a.name, n.oid, coalesce(pg_has_role(n.nspowner, 'USAGE'), false) AS owned, pg_get_userbyid(n.nspowner)::text AS owner,
       obj_description(n.oid, 'pg_namespace') AS comment,
       has_database_privilege(current_database(), 'CREATE') AS may_rename,
       ARRAY(SELECT DISTINCT e.extname::text FROM pg_extension e WHERE e.extnamespace = n.oid
             OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e')
             ORDER BY 1) AS extensions
FROM unnest($1::text[]) WITH ORDINALITY a(name, n) LEFT JOIN pg_namespace n ON n.nspname = a.name
ORDER BY a.n
