-- every run of this database, newest first; locks nothing
SELECT id, state, database, databases, plan_name, plan_digest, plan_file, fingerprint, allow, max_lock_ms, retention_ms, approved, tool_version, actor, commit, workflow_run,
       started_at::text, migrated_at::text, rolled_back_at::text, retain_until::text, ended_at::text, maintenance_on, failure
FROM lossless.run ORDER BY started_at DESC, id
