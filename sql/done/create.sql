-- Creates the table of markers; idempotent; locks only our own objects.
CREATE SCHEMA IF NOT EXISTS lossless;
CREATE TABLE IF NOT EXISTS lossless.done (
  run text NOT NULL,
  step text NOT NULL,
  what text NOT NULL CHECK (what IN ('apply', 'kept')),
  at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  facts jsonb NOT NULL,
  PRIMARY KEY (run, step, what)
);
COMMENT ON TABLE lossless.done IS 'Lossless: written inside the transaction of a sql or drizzle step, so that its presence proves the commit; the cleanup of the run removes it.'
