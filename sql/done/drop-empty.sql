-- Drops the table of markers when nothing is in it; ACCESS EXCLUSIVE on our own table only.
DO $$
BEGIN
  IF pg_catalog.to_regclass('lossless.done') IS NOT NULL THEN
    LOCK TABLE lossless.done IN ACCESS EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM lossless.done) THEN
      DROP TABLE lossless.done;
    END IF;
  END IF;
END
$$
