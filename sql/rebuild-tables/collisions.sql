-- groups of rows that are different now and would be equal in a unique key after the conversion; ACCESS SHARE
SELECT count(*) AS groups, coalesce((array_agg(example))[1:100], '{}') AS keys
FROM (SELECT min(ROW(:{key})::text) AS example FROM ONLY :"table" o WHERE :{fit} GROUP BY :{columns} HAVING count(*) > 1) g

