-- what each named relation is, and everything that would keep it from being moved ($1 schemas, $2 names); locks nothing
SELECT a.schema, a.name, c.oid, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS owned, pg_get_userbyid(c.relowner)::text AS owner,
       coalesce(has_schema_privilege(s.oid, 'CREATE'), false) AS may_return,
       coalesce(c.relforcerowsecurity AND row_security_active(c.oid), false) AS hidden,
       coalesce(c.relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid), false) AS inherits,
       coalesce(c.reloftype <> 0, false) AS typed,
       (SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') AS extension,
       EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = c.oid) AS subscribed,
       ARRAY(SELECT p.pubname::text FROM pg_publication_tables p WHERE p.schemaname = a.schema AND p.tablename = a.name ORDER BY 1) AS publications,
       coalesce((SELECT json_agg(json_build_object('schema', n.nspname, 'name', x.stxname) ORDER BY n.nspname, x.stxname)
                 FROM pg_statistic_ext x JOIN pg_namespace n ON n.oid = x.stxnamespace WHERE x.stxrelid = c.oid), '[]') AS statistics
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY a(schema, name, n)
LEFT JOIN pg_namespace s ON s.nspname = a.schema
LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = a.name
ORDER BY a.n
