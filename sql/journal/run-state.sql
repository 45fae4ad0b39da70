-- moves a run to a state
UPDATE lossless.run SET state = $2, failure = $3,
  migrated_at = CASE WHEN $2 = 'migrated' THEN $4::timestamptz ELSE migrated_at END,
  rolled_back_at = CASE WHEN $2 = 'rolled-back' THEN $4::timestamptz ELSE rolled_back_at END,
  retain_until = CASE WHEN $2 IN ('migrated', 'rolled-back') THEN $4::timestamptz + make_interval(secs => retention_ms / 1000.0) ELSE retain_until END,
  ended_at = CASE WHEN $2 = 'cleaned' THEN $4::timestamptz ELSE ended_at END
WHERE id = $1
