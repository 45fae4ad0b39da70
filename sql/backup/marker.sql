-- the comment of this database, which carries our marker on a clone, and whether the role may change it; locks nothing
SELECT coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment, pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owner
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
