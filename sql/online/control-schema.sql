-- creates the control schema and the table that says, inside the swap's own transaction, that a swap happened; locks nothing of the application
CREATE SCHEMA IF NOT EXISTS lossless;
CREATE TABLE IF NOT EXISTS lossless.swap (
  run text NOT NULL,
  step text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('forward', 'back')),
  state text NOT NULL CHECK (state IN ('swapped', 'given-up')),
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  began timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (run, step, direction)
);
COMMENT ON TABLE lossless.swap IS 'Lossless: one row per swap of tables, written in the swap''s own transaction, so that a lost connection can be resolved. Removed by the cleanup phase of the run.';
