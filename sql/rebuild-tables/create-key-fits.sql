-- creates the judge of a key: whether it can be converted and comes back as it was; locks nothing
CREATE OR REPLACE FUNCTION :"function"(:{parameters}) RETURNS boolean LANGUAGE plpgsql AS $lossless$
#variable_conflict use_column
DECLARE
  :{variables}
BEGIN
  SELECT :{there} INTO :{there_into} FROM (SELECT :{key}) AS o;
  SELECT :{back} INTO :{back_into} FROM (SELECT :{there_again}) AS n;
  RETURN :{verdict};
EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
  RETURN false;
END
$lossless$
