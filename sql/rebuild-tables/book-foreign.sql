-- before we read a retired table: what was scanned since our last booking was scanned by somebody else; locks nothing of the application
UPDATE lossless.scans u SET foreign_scans = u.foreign_scans + greatest(0, coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) - u.booked)
FROM pg_stat_all_tables s WHERE u.run = $1 AND u.step = $2 AND s.relid = u.relation AND u.relation = $3::oid
