-- takes a shared advisory lock until the transaction ends, so that another session can tell whether it is in the same database
SELECT pg_catalog.pg_advisory_xact_lock_shared($1::int, $2::int)
