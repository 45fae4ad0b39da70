-- the one session-level advisory lock of a database while anything of ours writes; never waits
SELECT pg_catalog.pg_try_advisory_lock(:{key}) AS taken
