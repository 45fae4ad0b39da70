-- which of the given virtual transaction ids are still open; locks nothing
SELECT coalesce(array_agg(DISTINCT virtualxid), '{}') AS open FROM pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND virtualxid = ANY ($1::text[])
