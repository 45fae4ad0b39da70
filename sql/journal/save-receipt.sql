-- a receipt, before the act: appended and made the newest in one statement
WITH appended AS (
  INSERT INTO lossless.receipt (run, step, no, receipt, at)
  VALUES ($1, $2, (SELECT coalesce(max(no), 0) + 1 FROM lossless.receipt WHERE run = $1 AND step = $2), $3, $4)
)
UPDATE lossless.step SET receipt = $3 WHERE run = $1 AND id = $2
