-- creates the function that takes merged rows out of the target again, those that are still as we put them and that nothing refers to; ROW EXCLUSIVE when called
CREATE OR REPLACE FUNCTION :"function"(lim bigint, OUT taken bigint, OUT stayed bigint) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $lossless$
#variable_conflict use_column
BEGIN
  PERFORM set_config('lossless.apply', 'on', true);
  WITH batch AS (
    DELETE FROM :"merged" WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM :"merged" b WHERE b.class = 'n' LIMIT lim)) RETURNING *
  ), gone AS (
    DELETE FROM ONLY :"into" t USING batch m WHERE :{match_tm} AND :{h_all} = m.h_all AND :{unreferenced} RETURNING 1
  )
  SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM batch) - (SELECT count(*) FROM gone) INTO taken, stayed;
END
$lossless$;
REVOKE ALL ON FUNCTION :"function"(bigint) FROM PUBLIC;
COMMENT ON FUNCTION :"function"(bigint) IS :'about'
