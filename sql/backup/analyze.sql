-- statistics for the planner, which dumps do not carry (before PostgreSQL 18); SHARE UPDATE EXCLUSIVE on each table in turn
ANALYZE
