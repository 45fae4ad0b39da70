-- sequences of the user's schemas without the given ones ($1), with their values as they are now (null: never used); locks nothing
SELECT s.schemaname AS schema, s.sequencename AS name, s.last_value::text AS value, s.increment_by::text AS increment
FROM pg_catalog.pg_sequences s
WHERE s.schemaname <> 'information_schema' AND s.schemaname !~ '^pg_' AND NOT s.schemaname = ANY ($1::text[])
ORDER BY 1, 2
