-- rows without a parent, per table and foreign key, children of such rows included; ACCESS SHARE
WITH RECURSIVE :{sources}
SELECT t AS table, reason, count(*) AS rows, (array_agg(key))[1:100] AS keys FROM (:{orphans}) x GROUP BY 1, 2
