-- The data set of the benchmarks, in schema `app`; run as its owner with `bench.scale` set. At scale 1: 200 k users, 500 k projects, 3 M exports with text keys, 6 M
-- export_analytics, 2.1 GB of tables. Every value is a function of the row's number, so the same scale gives the same bytes.
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
CREATE SCHEMA app;
SET search_path = app;

CREATE FUNCTION rows_at_scale(n bigint) RETURNS int LANGUAGE sql STABLE AS $$ SELECT greatest(1, (n * current_setting('bench.scale')::float8)::int) $$;
CREATE FUNCTION h(i bigint, seed bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashint8extended(i, seed) & 9223372036854775807 $$;

CREATE TABLE users (
  id varchar(64) NOT NULL, email text NOT NULL, name text, plan text NOT NULL DEFAULT 'free', created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
INSERT INTO users
  SELECT 'user_' || substr(md5('u' || i), 1, 24), 'u' || i || '@example.com', 'Name ' || (i % 9973), (ARRAY['free', 'free', 'free', 'pro', 'team'])[1 + i % 5],
         timestamptz '2023-01-01Z' + i * interval '1 second', timestamptz '2024-01-01Z' + i * interval '1 second'
    FROM generate_series(1, rows_at_scale(200000)) i;
ALTER TABLE users ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX users_email_key ON users (email);

CREATE TABLE projects (
  id uuid NOT NULL DEFAULT gen_random_uuid(), user_id varchar(64) NOT NULL, name text NOT NULL, settings jsonb NOT NULL DEFAULT '{}', archived boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
INSERT INTO projects
  SELECT md5('p' || i)::uuid, 'user_' || substr(md5('u' || (1 + h(i, 1) % rows_at_scale(200000))), 1, 24), 'Project ' || i,
         jsonb_build_object('w', 1920, 'h', 1080, 'fps', (ARRAY[24, 30, 60])[1 + i % 3], 'theme', 't' || (i % 17)), i % 23 = 0,
         timestamptz '2023-02-01Z' + i * interval '1 second', timestamptz '2024-02-01Z' + i * interval '1 second'
    FROM generate_series(1, rows_at_scale(500000)) i;
ALTER TABLE projects ADD PRIMARY KEY (id);
CREATE INDEX projects_user_id_idx ON projects (user_id);
ALTER TABLE projects ADD CONSTRAINT projects_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);

CREATE TABLE exports (
  id text NOT NULL DEFAULT gen_random_uuid()::text, user_id text NOT NULL, project_id text NOT NULL, render_id text, status text NOT NULL DEFAULT 'queued',
  progress integer NOT NULL DEFAULT 0, format text NOT NULL DEFAULT 'mp4', quality text NOT NULL DEFAULT 'high', output_url text, file_size bigint, duration numeric(10,3),
  error text, metadata jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), completed_at timestamptz);
INSERT INTO exports
  SELECT md5('e' || i)::uuid::text, 'user_' || substr(md5('u' || (1 + h(i, 2) % rows_at_scale(200000))), 1, 24), md5('p' || (1 + h(i, 3) % rows_at_scale(500000)))::uuid::text,
         'render_' || md5('r' || i), (ARRAY['completed', 'completed', 'completed', 'completed', 'failed', 'processing', 'queued'])[1 + i % 7],
         CASE WHEN i % 7 < 4 THEN 100 ELSE i % 100 END, (ARRAY['mp4', 'mp4', 'webm', 'gif'])[1 + i % 4], (ARRAY['high', 'medium', 'low'])[1 + i % 3],
         CASE WHEN i % 7 < 4 THEN 'https://cdn.example.com/exports/' || md5('o' || i) || '/final.mp4' END,
         CASE WHEN i % 7 < 4 THEN 1000000 + h(i, 4) % 900000000 END, CASE WHEN i % 7 < 4 THEN (h(i, 5) % 600000) / 1000.0 END,
         CASE WHEN i % 7 = 4 THEN 'Renderer exited with code ' || (i % 5) || ': out of memory while encoding segment ' || (i % 311) END,
         jsonb_build_object('codec', 'h264', 'bitrate', h(i, 6) % 20000, 'segments', i % 40, 'client', 'web/' || (i % 12), 'note', 'n' || md5('n' || i)),
         timestamptz '2024-01-01Z' + i * interval '7 seconds', timestamptz '2024-01-01Z' + i * interval '7 seconds' + interval '300 seconds',
         CASE WHEN i % 7 < 4 THEN timestamptz '2024-01-01Z' + i * interval '7 seconds' + interval '300 seconds' END
    FROM generate_series(1, rows_at_scale(3000000)) i;
ALTER TABLE exports ADD PRIMARY KEY (id);
ALTER TABLE exports ADD CONSTRAINT exports_render_id_key UNIQUE (render_id);
CREATE INDEX exports_user_created_idx ON exports (user_id, created_at DESC);
CREATE INDEX exports_project_id_idx ON exports (project_id);
ALTER TABLE exports ADD CONSTRAINT exports_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);

CREATE TABLE export_analytics (
  id uuid NOT NULL DEFAULT gen_random_uuid(), export_id text NOT NULL, event text NOT NULL, data jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO export_analytics
  SELECT md5('a' || i)::uuid, md5('e' || (1 + h(i, 7) % rows_at_scale(3000000)))::uuid::text, (ARRAY['view', 'view', 'view', 'download', 'share', 'embed'])[1 + i % 6],
         jsonb_build_object('ip', '10.' || (i % 250) || '.' || (i % 199) || '.7', 'ref', 'https://r' || (i % 1000) || '.example.com', 'ms', h(i, 8) % 60000),
         timestamptz '2024-01-01Z' + i * interval '3 seconds', timestamptz '2024-01-01Z' + i * interval '3 seconds'
    FROM generate_series(1, rows_at_scale(6000000)) i;
ALTER TABLE export_analytics ADD PRIMARY KEY (id);
CREATE INDEX export_analytics_export_id_idx ON export_analytics (export_id);
CREATE INDEX export_analytics_event_created_idx ON export_analytics (event, created_at);
ALTER TABLE export_analytics ADD CONSTRAINT export_analytics_export_id_fkey FOREIGN KEY (export_id) REFERENCES exports (id) ON DELETE CASCADE;

-- Journal of every acknowledged write: written in the same statement as the write, its number taken under the row's lock, so that per id the order is that of the commits.
CREATE TABLE writes (seq bigserial, op "char" NOT NULL, id uuid NOT NULL, v bigint NOT NULL);
VACUUM ANALYZE users;
VACUUM ANALYZE projects;
VACUUM ANALYZE exports;
VACUUM ANALYZE export_analytics;
