-- what a watch found
INSERT INTO lossless.watch (run, at, outcome, backlog, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (run, at) DO UPDATE SET outcome = EXCLUDED.outcome, backlog = EXCLUDED.backlog, body = EXCLUDED.body
