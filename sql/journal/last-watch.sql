-- the newest watch of a run; locks nothing
SELECT at::text, outcome, backlog, body FROM lossless.watch WHERE run = $1 ORDER BY at DESC LIMIT 1
