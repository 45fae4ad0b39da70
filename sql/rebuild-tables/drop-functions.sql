-- drops functions of ours by name, whatever their arguments; locks nothing of the application
DO $lossless$
DECLARE f text;
BEGIN
  FOR f IN SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'lossless' AND p.proname = ANY (string_to_array(:'names', ',')) LOOP
    EXECUTE 'DROP FUNCTION ' || f;
  END LOOP;
END $lossless$
