-- Drops a table kept by a rollback; ACCESS EXCLUSIVE on it; fails when something outside depends on it.
DROP TABLE IF EXISTS :"table" RESTRICT
