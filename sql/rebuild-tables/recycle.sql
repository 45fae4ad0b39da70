-- ends idle sessions that were opened before the swap, so that named statements are prepared anew; only those the role may end
SELECT count(pg_terminate_backend(a.pid)) AS ended FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.state = 'idle' AND a.backend_start < $1::timestamptz AND a.application_name NOT LIKE 'lossless%' AND a.pid <> pg_backend_pid()
  AND (a.usename = current_user OR pg_has_role('pg_signal_backend', 'USAGE') AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = a.usename))
