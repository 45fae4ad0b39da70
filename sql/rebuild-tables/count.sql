-- exact number of rows; ACCESS SHARE
SELECT count(*) AS rows FROM ONLY :"table"
