-- lets columns outside the key be empty in quarantine (generated values of rows that come from the new side); locks nothing of the application
DO $lossless$
DECLARE c name;
BEGIN
  FOR c IN SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass(:'quarantine') AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND a.attname NOT LIKE 'lossless\_%'
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)) LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', to_regclass(:'quarantine'), c);
  END LOOP;
END $lossless$
