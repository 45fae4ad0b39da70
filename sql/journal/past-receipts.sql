-- receipts of undone steps of a kind in earlier runs, newest first; locks nothing
SELECT s.run, s.id AS step_id, s.receipt FROM lossless.step s JOIN lossless.run r ON r.id = s.run
WHERE s.kind = $1 AND s.run <> $2 AND s.state = 'undone' AND s.receipt IS NOT NULL AND r.state = 'rolled-back' ORDER BY r.started_at DESC
