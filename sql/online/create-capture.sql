-- creates the capture function of one table: logs the old and the new key of every changed row, a T for TRUNCATE, an X when the key cannot be read any more; never makes a write fail; locks nothing
CREATE OR REPLACE FUNCTION :"function"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $lossless$
DECLARE
  :{variables}
  readable boolean := true;
BEGIN
  IF current_setting('lossless.apply', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO :"log" (op) VALUES ('T');
    RETURN NULL;
  END IF;
  -- this block writes nothing: an exception in it undoes nothing and no write of the application fails
  BEGIN
    IF TG_OP <> 'INSERT' THEN
      :{read_old}
    END IF;
    IF TG_OP <> 'DELETE' THEN
      :{read_new}
    END IF;
  EXCEPTION WHEN OTHERS THEN
    readable := false;
  END;
  IF NOT readable THEN
    INSERT INTO :"log" (op) VALUES ('X');
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO :"log" VALUES (:{old}, 'D');
  ELSE
    INSERT INTO :"log" VALUES (:{new}, 'U');
    IF TG_OP = 'UPDATE' AND ROW(:{old}) IS DISTINCT FROM ROW(:{new}) THEN
      INSERT INTO :"log" VALUES (:{old}, 'U');
    END IF;
  END IF;
  RETURN NULL;
END
$lossless$;
REVOKE ALL ON FUNCTION :"function"() FROM PUBLIC;
COMMENT ON FUNCTION :"function"() IS :'about'
