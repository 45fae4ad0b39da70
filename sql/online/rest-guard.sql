-- makes the guard do nothing, once no snapshot older than the swap is left; locks no table
CREATE OR REPLACE FUNCTION :"function"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $lossless$
BEGIN
  RETURN NULL;
END
$lossless$
