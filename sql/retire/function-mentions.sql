-- functions outside our schemas whose text ($1 pattern, POSIX, case-insensitive) names something; PostgreSQL does not track what is inside a string; locks nothing
SELECT p.oid::regprocedure::text AS function
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^(pg_|lossless)' AND n.nspname <> 'information_schema' AND p.prosqlbody IS NULL AND p.prosrc ~* $1
ORDER BY 1
