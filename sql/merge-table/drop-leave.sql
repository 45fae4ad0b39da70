-- drops the function that takes merged rows out; locks nothing of the application
DROP FUNCTION IF EXISTS :"function"(bigint)
