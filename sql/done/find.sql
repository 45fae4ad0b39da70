-- The marker of one step of one run; ACCESS SHARE on our own table.
SELECT facts FROM lossless.done WHERE run = $1 AND step = $2 AND what = $3
