-- Counts the rows of one table exactly; ACCESS SHARE on it until the transaction ends.
SELECT pg_catalog.count(*) AS rows FROM :{only} :"table"
