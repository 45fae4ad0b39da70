-- statistics for the planner, before the first query of the application meets the table; SHARE UPDATE EXCLUSIVE on it
VACUUM (ANALYZE) :"table"
