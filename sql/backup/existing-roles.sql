-- which of the roles ($1) exist on this server; locks nothing
SELECT r.rolname AS name FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::text[])
