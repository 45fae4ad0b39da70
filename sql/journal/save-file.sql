-- one file of the plan, as it was when the run began
INSERT INTO lossless.file (run, path, content) VALUES ($1, $2, $3) ON CONFLICT (run, path) DO UPDATE SET content = EXCLUDED.content
