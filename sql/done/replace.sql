-- Inside a DO block: removes one marker of a step and writes another; ROW EXCLUSIVE on our own table.
DELETE FROM lossless.done WHERE run = :'from_run' AND step = :'from_step' AND what = :'from';
INSERT INTO lossless.done (run, step, what, facts) VALUES (:'run', :'step', :'to', :'facts'::jsonb) ON CONFLICT (run, step, what) DO UPDATE SET facts = excluded.facts, at = pg_catalog.now()
