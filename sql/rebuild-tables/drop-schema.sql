-- drops a schema of the run when nothing is left in it; other steps of the run may still use it
DO $lossless$
BEGIN
  EXECUTE format('DROP SCHEMA IF EXISTS %I', :'schema');
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;
END $lossless$
