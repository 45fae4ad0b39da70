-- the frame of a move, one message: SHARE UPDATE EXCLUSIVE first (autovacuum gives way only to a waiter older than deadlock_timeout), then a DO block within the lock budget
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
SET LOCAL statement_timeout = '10s';
SET LOCAL lock_timeout = '3s';
-- no table at all: there is nothing that autovacuum could hold
:{first};
SET LOCAL lock_timeout = '150ms';
SET LOCAL statement_timeout = :{budget};
:{limit};
DO :{body};
COMMIT
