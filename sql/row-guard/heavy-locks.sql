-- Relations of the given schemas ($1) on which this transaction holds a lock that makes writers wait; locks nothing.
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p')
   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') AND n.nspname::text = ANY ($1::text[])
 ORDER BY 1, 2
