-- statements of a DO block: drops a ledger that the run itself made and that is empty again, and its schema when nothing else is in it
IF NOT EXISTS (SELECT FROM :"ledger") THEN
    DROP TABLE :"ledger" RESTRICT;
    IF :{with_schema} THEN
      BEGIN
        DROP SCHEMA :"schema" RESTRICT;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        NULL;
      END;
    END IF;
  END IF
