-- Rows of a kept table whose parent is gone, for one foreign key; ACCESS SHARE on both.
SELECT pg_catalog.count(*) AS rows FROM ONLY :"child" c WHERE :{given} AND NOT EXISTS (SELECT FROM :"parent" p WHERE :{match})
