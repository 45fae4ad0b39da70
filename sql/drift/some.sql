-- 1 when the table has any row, else 0; stops at the first one; locks ACCESS SHARE
SELECT :'key'::text AS key, (SELECT count(*) FROM (SELECT FROM :"table" LIMIT 1) one) AS n
