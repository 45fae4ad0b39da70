-- the steps of one run in plan order; locks nothing
SELECT run, no, id, kind, database, spec, state, receipt, holds, failure FROM lossless.step WHERE run = $1 ORDER BY no
