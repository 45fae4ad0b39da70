-- who and where we are, and since when the statistics count; locks nothing
SELECT pg_catalog.current_database() AS database,
       current_user::text AS role,
       pg_catalog.current_setting('server_version') AS version,
       (SELECT extract(epoch FROM pg_catalog.now() - d.stats_reset)::float8 FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()) AS statistics_seconds
