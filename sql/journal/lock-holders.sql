-- who holds an advisory lock of ours in this database; locks nothing
SELECT l.pid, coalesce(a.application_name, '') AS name, coalesce(a.backend_start::text, '') AS since
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
  AND ((l.classid::bigint << 32) | l.objid::bigint) = :{key}
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
