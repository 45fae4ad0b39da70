-- takes at most $1 merged rows out of the target again
SELECT taken, stayed FROM :"function"($1::bigint)
