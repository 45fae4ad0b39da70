-- creates the judge of one row: whether every value fits the new types; locks nothing of the application but ACCESS SHARE
CREATE OR REPLACE FUNCTION :"function"(o :"table") RETURNS boolean LANGUAGE plpgsql AS $lossless$
#variable_conflict use_column
DECLARE
  :{variables}
BEGIN
  :{conversions}
  RETURN :{verdict};
EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
  RETURN false;
END
$lossless$;
COMMENT ON FUNCTION :"function"(:"table") IS :'about'
