-- one drainer per log at a time; advisory lock until the end of the transaction
SELECT pg_advisory_xact_lock(1280266067, hashtext(:'log'))
