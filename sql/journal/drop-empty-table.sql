-- drops a table of ours only when it is empty; ACCESS EXCLUSIVE on it
DO $do$
BEGIN
  LOCK TABLE :"table" IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM :"table") THEN
    DROP TABLE :"table";
  END IF;
END
$do$
