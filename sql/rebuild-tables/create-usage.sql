-- creates the table in which our own sessions book their scans of retired tables, so that a foreign scan shows; locks nothing of the application
CREATE TABLE IF NOT EXISTS lossless.scans (
  run text NOT NULL,
  step text NOT NULL,
  relation oid NOT NULL,
  booked bigint NOT NULL,
  foreign_scans bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (run, step, relation)
);
COMMENT ON TABLE lossless.scans IS 'Lossless: how often retired tables were scanned, and how often not by us. Removed by the cleanup phase of the run.'
