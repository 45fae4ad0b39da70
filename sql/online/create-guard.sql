-- creates the guard: a transaction whose snapshot is older than the swap must not write, it would miss rows silently; locks nothing
CREATE OR REPLACE FUNCTION :"function"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $lossless$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' AND NOT pg_visible_in_snapshot(TG_ARGV[0]::xid8, pg_current_snapshot()) THEN
    RAISE EXCEPTION 'table %.% was rebuilt after this transaction took its snapshot', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '40001', HINT = 'Run the transaction again.';
  END IF;
  RETURN NULL;
END
$lossless$;
REVOKE ALL ON FUNCTION :"function"() FROM PUBLIC;
COMMENT ON FUNCTION :"function"() IS :'about'
