-- creates the function that carries logged keys to the other side; one call takes at most `lim` log rows and deletes exactly those it read; locks nothing by itself
CREATE OR REPLACE FUNCTION :"function"(lim bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $lossless$
#variable_conflict use_column
DECLARE
  :{variables}
  taken bigint;
  truncated boolean;
BEGIN
  PERFORM set_config('lossless.apply', 'on', true);
  WITH gone AS (
    DELETE FROM :"log" WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM :"log" l WHERE l.op <> 'X' LIMIT lim)) RETURNING *
  ), keys AS (
    SELECT DISTINCT :{columns} FROM gone WHERE op IN ('U', 'D')
  )
  SELECT (SELECT count(*) FROM gone), (SELECT coalesce(bool_or(op = 'T'), false) FROM gone), :{arrays}
    INTO taken, truncated, :{into} FROM keys;
  IF taken = 0 THEN
    RETURN 0;
  END IF;
  :{apply}
  RETURN taken;
END
$lossless$;
REVOKE ALL ON FUNCTION :"function"(bigint) FROM PUBLIC;
COMMENT ON FUNCTION :"function"(bigint) IS :'about'
