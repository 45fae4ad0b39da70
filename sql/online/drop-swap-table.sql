-- drops the control table of swaps when no run has a row in it; locks nothing of the application
DO $lossless$ BEGIN
  IF to_regclass('lossless.swap') IS NOT NULL AND NOT EXISTS (SELECT FROM lossless.swap) THEN DROP TABLE lossless.swap; END IF;
END $lossless$
