-- creates the journal in the control schema; idempotent; locks only our own objects
CREATE SCHEMA IF NOT EXISTS lossless;
COMMENT ON SCHEMA lossless IS 'Lossless: journal, change logs and quarantine of PostgreSQL migrations. Removed by hand only, after every run is cleaned: DROP SCHEMA lossless CASCADE.';
CREATE TABLE IF NOT EXISTS lossless.run (
  id text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('migrating', 'migrated', 'failed', 'rolling-back', 'rolled-back', 'cleaning', 'cleaned')),
  database text NOT NULL,
  databases text[] NOT NULL,
  plan_name text NOT NULL,
  plan_digest text NOT NULL,
  plan_file text NOT NULL,
  fingerprint text NOT NULL,
  allow text[] NOT NULL,
  max_lock_ms integer NOT NULL,
  retention_ms bigint NOT NULL,
  approved jsonb NOT NULL,
  tool_version text NOT NULL,
  actor text NOT NULL,
  commit text NOT NULL,
  workflow_run text NOT NULL,
  started_at timestamptz NOT NULL,
  migrated_at timestamptz,
  rolled_back_at timestamptz,
  retain_until timestamptz,
  ended_at timestamptz,
  maintenance_on boolean NOT NULL DEFAULT false,
  failure text
);
COMMENT ON TABLE lossless.run IS 'Lossless journal: one row for each migration run in this database.';
CREATE TABLE IF NOT EXISTS lossless.step (
  run text NOT NULL REFERENCES lossless.run,
  no integer NOT NULL,
  id text NOT NULL,
  kind text NOT NULL,
  database text NOT NULL,
  spec jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('planned', 'applying', 'applied', 'verified', 'failed', 'undoing', 'undone', 'cleaning', 'cleaned')),
  receipt jsonb,
  holds jsonb NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  failure text,
  PRIMARY KEY (run, id)
);
COMMENT ON TABLE lossless.step IS 'Lossless journal: the steps of a run in this database, with the newest receipt and the relations they hold.';
CREATE TABLE IF NOT EXISTS lossless.receipt (
  run text NOT NULL,
  step text NOT NULL,
  no integer NOT NULL,
  receipt jsonb NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (run, step, no)
);
COMMENT ON TABLE lossless.receipt IS 'Lossless journal: every receipt, written before the act that it describes.';
CREATE TABLE IF NOT EXISTS lossless.evidence (
  run text NOT NULL,
  kind text NOT NULL,
  body jsonb NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (run, kind)
);
COMMENT ON TABLE lossless.evidence IS 'Lossless journal: manifest, rehearsal, approval, final backup and cleanup archive of a run. No row data.';
CREATE TABLE IF NOT EXISTS lossless.file (
  run text NOT NULL,
  path text NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (run, path)
);
COMMENT ON TABLE lossless.file IS 'Lossless journal: the plan and every file it names, as they were when the run began.';
CREATE TABLE IF NOT EXISTS lossless.watch (
  run text NOT NULL,
  at timestamptz NOT NULL,
  outcome text NOT NULL,
  backlog bigint NOT NULL,
  body jsonb NOT NULL,
  PRIMARY KEY (run, at)
);
COMMENT ON TABLE lossless.watch IS 'Lossless journal: what each watch found.'
