-- child rows without a parent, in the caller's snapshot; ACCESS SHARE on both tables; NOT EXISTS, because NOT IN is wrong with NULLs and never ends on large tables
SELECT pg_catalog.count(*) AS count
FROM :{child} AS c
WHERE :{present} AND NOT EXISTS (SELECT FROM :{parent} AS p WHERE :{same})
