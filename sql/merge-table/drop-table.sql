-- drops a table of ours; locks nothing of the application
DROP TABLE IF EXISTS :"table"
