-- drops a trigger function of ours; locks nothing of the application once its triggers are gone
DROP FUNCTION IF EXISTS :"function"()
