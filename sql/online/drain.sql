-- takes at most $1 rows from a change log and carries their keys; to be called in a REPEATABLE READ transaction whose first statement locked the tables in ACCESS SHARE mode
SELECT :"function"($1::bigint) AS taken
