-- size, estimate of rows and use as the statistics know them, per table (partitions count with their parent), without extension members; locks ACCESS SHARE for the moment of measuring
SELECT n.nspname AS schema,
       c.relname AS name,
       coalesce(parts.bytes, pg_catalog.pg_relation_size(c.oid)) AS heap_bytes,
       coalesce(parts.total, pg_catalog.pg_total_relation_size(c.oid)) AS total_bytes,
       c.reltuples::float8 AS estimate,
       coalesce(s.seq_scan, 0) AS seq_scans,
       coalesce(s.idx_scan, 0) AS index_scans,
       coalesce(s.n_tup_ins, 0) AS inserted,
       coalesce(s.n_tup_upd, 0) AS updated,
       coalesce(s.n_tup_del, 0) AS deleted
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
  LEFT JOIN LATERAL (
       SELECT sum(pg_catalog.pg_relation_size(t.relid))::int8 AS bytes, sum(pg_catalog.pg_total_relation_size(t.relid))::int8 AS total
         FROM pg_catalog.pg_partition_tree(c.oid) t
        WHERE c.relkind = 'p') parts ON true
 WHERE c.relkind IN ('r', 'p')
   AND NOT c.relispartition
   AND c.relpersistence <> 't'
   AND n.nspname = ANY ($1::text[])
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname
