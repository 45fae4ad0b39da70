-- evidence of a run; the newest of a kind counts
INSERT INTO lossless.evidence (run, kind, body, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (run, kind) DO UPDATE SET body = EXCLUDED.body, at = EXCLUDED.at
