-- runs of the journal that retired a relation ($1 the receipt's entry, as json) and did not bring it back; locks nothing
SELECT run FROM lossless.step WHERE state IN ('applied', 'verified', 'cleaning', 'cleaned') AND receipt -> 'retired' @> $1::jsonb ORDER BY ended_at DESC NULLS LAST LIMIT 1
