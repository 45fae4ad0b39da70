-- The seed's way: copy into a new table, then rename. Whatever is written between the copy and the rename is lost.
CREATE TABLE app.exports_new (
  id uuid NOT NULL DEFAULT gen_random_uuid(), user_id varchar(64) NOT NULL, project_id uuid NOT NULL, render_id text, status text NOT NULL DEFAULT 'queued',
  progress integer NOT NULL DEFAULT 0, format text NOT NULL DEFAULT 'mp4', quality text NOT NULL DEFAULT 'high', output_url text, file_size bigint, duration numeric(10,3),
  error text, metadata jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), completed_at timestamptz);
INSERT INTO app.exports_new
  SELECT id::uuid, user_id::varchar(64), project_id::uuid, render_id, status, progress, format, quality, output_url, file_size, duration, error, metadata, created_at, updated_at, completed_at
    FROM app.exports;
ALTER TABLE app.exports_new ADD PRIMARY KEY (id);
ALTER TABLE app.exports_new ADD UNIQUE (render_id);
CREATE INDEX exports_user_created_idx_new ON app.exports_new (user_id, created_at DESC);
CREATE INDEX exports_project_id_idx_new ON app.exports_new (project_id);
CREATE TABLE app.export_analytics_new (
  id uuid NOT NULL DEFAULT gen_random_uuid(), export_id uuid NOT NULL, event text NOT NULL, data jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO app.export_analytics_new SELECT id, export_id::uuid, event, data, created_at, updated_at FROM app.export_analytics;
ALTER TABLE app.export_analytics_new ADD PRIMARY KEY (id);
CREATE INDEX export_analytics_export_id_idx_new ON app.export_analytics_new (export_id);
CREATE INDEX export_analytics_event_created_idx_new ON app.export_analytics_new (event, created_at);
BEGIN;
ALTER TABLE app.exports RENAME TO exports_old;
ALTER TABLE app.export_analytics RENAME TO export_analytics_old;
ALTER TABLE app.exports_new RENAME TO exports;
ALTER TABLE app.export_analytics_new RENAME TO export_analytics;
COMMIT
