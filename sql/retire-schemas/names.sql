-- the names that schemas ($1 oids) have now; locks nothing
SELECT n.oid, n.nspname::text AS name FROM pg_namespace n WHERE n.oid = ANY ($1::oid[])
