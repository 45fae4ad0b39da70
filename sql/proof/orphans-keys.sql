-- keys of at most 100 child rows without a parent; ACCESS SHARE on both tables
SELECT :{key} AS key
FROM :{child} AS c
WHERE :{present} AND NOT EXISTS (SELECT FROM :{parent} AS p WHERE :{same})
ORDER BY 1
LIMIT 100
