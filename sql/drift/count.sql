-- exact rows of one table; locks ACCESS SHARE
SELECT :'key'::text AS key, count(*) AS n FROM :"table"
