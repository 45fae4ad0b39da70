-- forgets the bookings of a step, and their table when it was the last; locks nothing of the application
DO $lossless$ BEGIN
  IF to_regclass('lossless.scans') IS NOT NULL THEN
    DELETE FROM lossless.scans WHERE run = :'run' AND step = :'step';
    IF NOT EXISTS (SELECT FROM lossless.scans) THEN DROP TABLE lossless.scans; END IF;
  END IF;
END $lossless$
