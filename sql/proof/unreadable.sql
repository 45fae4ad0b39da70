-- which of the relations this session cannot read in full: no SELECT privilege, or row level security that would hide rows; locks nothing
SELECT n.nspname AS schema, c.relname AS name,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS granted,
       pg_catalog.row_security_active(c.oid) AS filtered,
       c.relforcerowsecurity AS forced
FROM unnest($1::text[], $2::text[]) AS w(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.row_security_active(c.oid)
