-- the role that owns most relations of the schemas ($1), else the database's owner; locks nothing
SELECT coalesce(
  (SELECT r.rolname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
    WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') GROUP BY r.rolname ORDER BY pg_catalog.count(*) DESC, r.rolname LIMIT 1),
  (SELECT r.rolname FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = pg_catalog.current_database()))::text AS owner
