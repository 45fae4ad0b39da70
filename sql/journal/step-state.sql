-- moves a step to a state
UPDATE lossless.step SET state = $3, failure = $4,
  started_at = CASE WHEN $3 = 'applying' AND started_at IS NULL THEN $5::timestamptz ELSE started_at END,
  ended_at = CASE WHEN $3 IN ('verified', 'failed', 'undone', 'cleaned') THEN $5::timestamptz ELSE ended_at END
WHERE run = $1 AND id = $2
