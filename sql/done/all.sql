-- All markers of one sort, newest first; ACCESS SHARE on our own table.
SELECT run, step, facts FROM lossless.done WHERE what = $1 ORDER BY at DESC, run, step
