-- reads the probe row back
SELECT pg_catalog.count(*) AS rows FROM ONLY :"table" AS t WHERE t.ctid = $1::pg_catalog.tid
