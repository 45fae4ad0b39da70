-- creates the fence of a table that was taken out of use: nobody but our own drains may write it; locks nothing
CREATE OR REPLACE FUNCTION :"function"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $lossless$
BEGIN
  IF current_setting('lossless.apply', true) = 'on' THEN
    IF TG_LEVEL = 'ROW' THEN
      IF TG_OP = 'DELETE' THEN
        RETURN OLD;
      END IF;
      RETURN NEW;
    END IF;
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'table %.% was replaced by a migration and may not be written', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '40001', HINT = 'Run the transaction again: it will find the new table under the old name.';
END
$lossless$;
REVOKE ALL ON FUNCTION :"function"() FROM PUBLIC;
COMMENT ON FUNCTION :"function"() IS :'about'
