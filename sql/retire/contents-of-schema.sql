-- whether a schema ($1) exists and how much is in it; locks nothing
SELECT n.oid IS NOT NULL AS found,
       (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid) + (SELECT count(*) FROM pg_type t WHERE t.typnamespace = n.oid) + (SELECT count(*) FROM pg_proc p WHERE p.pronamespace = n.oid) AS objects
FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = $1
