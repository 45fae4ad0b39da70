-- exact rows and order-independent checksum of one table in the caller's snapshot; takes ACCESS SHARE; plain aggregates so that the planner may go parallel
-- hash_record is linear in its fields (31 * a + b), so a plain sum of it would often not see two rows exchanging a value; hashing it once more (as float8: 53 of its bits, all mixed) breaks that.
SELECT pg_catalog.count(*) AS rows,
       coalesce(pg_catalog.sum(pg_catalog.hashfloat8extended(pg_catalog.hash_record_extended(ROW(:{expressions}), 0)::pg_catalog.float8, 0)), 0)::pg_catalog.text AS checksum
FROM ONLY :"table" AS t
