-- drops a drain function of ours; locks nothing of the application
DROP FUNCTION IF EXISTS :"function"(bigint)
