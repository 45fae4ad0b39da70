-- size and what the statistics know of tables ($1 oids); last_* exist from PostgreSQL 16 on; locks nothing
SELECT c.oid, pg_total_relation_size(c.oid) AS bytes,
       coalesce(s.n_tup_ins, 0) AS inserted, coalesce(s.n_tup_upd, 0) AS updated, coalesce(s.n_tup_del, 0) AS deleted,
       coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) AS scans,
       greatest(to_jsonb(s) ->> 'last_seq_scan', to_jsonb(s) ->> 'last_idx_scan') AS last_scan,
       (SELECT d.stats_reset::text FROM pg_stat_database d WHERE d.datname = current_database()) AS since
FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.oid = ANY ($1::oid[])
