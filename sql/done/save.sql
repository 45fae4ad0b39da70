-- Writes or replaces a marker; ROW EXCLUSIVE on our own table.
INSERT INTO lossless.done (run, step, what, facts) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (run, step, what) DO UPDATE SET facts = excluded.facts, at = pg_catalog.now()
