-- virtual transaction ids open in this database now, other than our own; visible to every role; locks nothing
SELECT coalesce(array_agg(DISTINCT l.virtualxid), '{}') AS open
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
