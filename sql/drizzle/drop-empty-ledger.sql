-- Drops a ledger that this run made and that is empty, and its schema when nothing else is in it; ACCESS EXCLUSIVE on the ledger.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM :"ledger") THEN
    DROP TABLE :"ledger" RESTRICT;
    IF :{with_schema} THEN
      BEGIN
        DROP SCHEMA :"schema" RESTRICT;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        NULL;
      END;
    END IF;
  END IF;
END
$$
