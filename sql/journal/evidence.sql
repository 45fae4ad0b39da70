-- evidence of a run; locks nothing
SELECT kind, body, at::text FROM lossless.evidence WHERE run = $1
