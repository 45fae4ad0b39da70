-- What the rebuild of the group does, as plain ALTER TABLE: exact, but nobody writes meanwhile.
BEGIN;
ALTER TABLE app.export_analytics DROP CONSTRAINT export_analytics_export_id_fkey;
ALTER TABLE app.exports DROP CONSTRAINT exports_user_id_fkey;
ALTER TABLE app.exports ALTER id DROP DEFAULT, ALTER id TYPE uuid USING id::uuid, ALTER id SET DEFAULT gen_random_uuid(),
  ALTER user_id TYPE varchar(64), ALTER project_id TYPE uuid USING project_id::uuid;
ALTER TABLE app.export_analytics ALTER export_id TYPE uuid USING export_id::uuid;
ALTER TABLE app.exports ADD CONSTRAINT exports_user_id_fkey FOREIGN KEY (user_id) REFERENCES app.users (id);
ALTER TABLE app.exports ADD CONSTRAINT exports_project_id_fkey FOREIGN KEY (project_id) REFERENCES app.projects (id);
ALTER TABLE app.export_analytics ADD CONSTRAINT export_analytics_export_id_fkey FOREIGN KEY (export_id) REFERENCES app.exports (id) ON DELETE CASCADE;
COMMIT
