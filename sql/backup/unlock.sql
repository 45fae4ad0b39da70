-- gives that advisory lock back
SELECT pg_catalog.pg_advisory_unlock($1::bigint) AS unlocked
