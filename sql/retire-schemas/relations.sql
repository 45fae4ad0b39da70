-- tables of schemas ($1 oids), with owner and kind; views, sequences and indexes follow their schema without being looked at; locks nothing
SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid, c.relnamespace AS namespace, c.relkind::text AS kind,
       pg_has_role(c.relowner, 'USAGE') AS owned, pg_get_userbyid(c.relowner)::text AS owner,
       c.relforcerowsecurity AND row_security_active(c.oid) AS hidden,
       ARRAY(SELECT p.pubname::text FROM pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname ORDER BY 1) AS publications
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relnamespace = ANY ($1::oid[]) AND c.relkind IN ('r', 'p')
ORDER BY 1, 2
