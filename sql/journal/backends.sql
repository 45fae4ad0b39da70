-- backends of a run other than this process's own sessions (DECISIONS 34); locks nothing
SELECT pid, application_name AS name, coalesce(state, '') AS state
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'lossless ' || $1 || '%' AND NOT (pid = ANY ($2::int[]))
