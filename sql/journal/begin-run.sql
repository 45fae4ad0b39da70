-- writes a run down before its first act
INSERT INTO lossless.run (id, state, database, databases, plan_name, plan_digest, plan_file, fingerprint, allow, max_lock_ms, retention_ms, approved, tool_version, actor, commit, workflow_run, started_at)
VALUES ($1, 'migrating', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
