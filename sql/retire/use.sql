-- scans that the statistics know of tables ($1 oids); last_* exist from PostgreSQL 16 on; locks nothing
SELECT s.relid AS oid, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) AS scans,
       greatest(to_jsonb(s) ->> 'last_seq_scan', to_jsonb(s) ->> 'last_idx_scan') AS last,
       (SELECT d.stats_reset::text FROM pg_stat_database d WHERE d.datname = current_database()) AS reset
FROM pg_stat_all_tables s WHERE s.relid = ANY ($1::oid[])
