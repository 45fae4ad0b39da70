-- exact rows and order-independent checksum of one table in the caller's snapshot; takes ACCESS SHARE; plain aggregates so that the planner may go parallel
SELECT pg_catalog.count(*) AS rows,
       coalesce(pg_catalog.sum(pg_catalog.hash_record_extended(ROW(:{expressions}), 0)), 0)::pg_catalog.text AS checksum
FROM ONLY :"table" AS t
