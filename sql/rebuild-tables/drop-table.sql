-- drops one of our own tables; ACCESS EXCLUSIVE on it, nothing of the application
DROP TABLE IF EXISTS :"table"
