-- scans of a retired table that nobody of ours booked; locks nothing
SELECT u.foreign_scans + greatest(0, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) - u.booked) AS scans FROM lossless.scans u JOIN pg_stat_all_tables s ON s.relid = u.relation
WHERE u.run = $1 AND u.step = $2 AND u.relation = $3::oid
