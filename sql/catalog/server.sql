-- version, database oid, who we are and what we may; locks nothing
SELECT current_setting('server_version_num')::int AS version,
       (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_oid,
       current_database() AS database,
       current_user AS role,
       pg_catalog.has_database_privilege(current_database(), 'CREATE') AS can_create,
       now() AS now
