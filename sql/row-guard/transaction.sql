-- The id of this transaction: a different one later means that somebody ended it in between; locks nothing.
SELECT pg_catalog.pg_current_xact_id()::text AS id
