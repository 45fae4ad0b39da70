-- takes a session-level advisory lock on an otherwise unused key until the session ends
SELECT pg_catalog.pg_try_advisory_lock($1::bigint) AS locked
