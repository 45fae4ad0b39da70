-- keys of up to 20 rows that a synthetic writer may copy; locks nothing
SELECT :{key} AS key FROM ONLY :"table" AS t WHERE :{fit} LIMIT 20
