-- first statement of a REPEATABLE READ transaction, before its snapshot: no rewriting DDL between snapshot and read; ACCESS SHARE
LOCK TABLE :{tables} IN ACCESS SHARE MODE
