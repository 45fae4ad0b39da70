-- after we read a retired table: the counters as they are now are ours; locks nothing of the application
INSERT INTO lossless.scans (run, step, relation, booked) SELECT $1, $2, s.relid, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) FROM pg_stat_all_tables s WHERE s.relid = $3::oid
ON CONFLICT (run, step, relation) DO UPDATE SET booked = excluded.booked
