-- rows of a table outside the group that refer to rows without a parent; ACCESS SHARE
WITH RECURSIVE :{sources}
SELECT count(*) AS rows FROM ONLY :"child" c JOIN :{orphans} b ON :{match}
