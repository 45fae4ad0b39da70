-- both sides of the proof at one snapshot, without the keys that wait in the log: rows and the sum of row hashes in the new types (mixed once more: hash_record alone is linear in its fields, so two rows exchanging a value would often leave the sum as it was); ACCESS SHARE
WITH log AS NOT MATERIALIZED (SELECT * FROM :"log"), everything AS MATERIALIZED (SELECT EXISTS (SELECT FROM log WHERE op = 'T') AS pending)
SELECT e.pending AS everything, o.rows AS "oldRows", o.sum::text AS "oldSum", o.moved, n.rows AS "newRows", n.sum::text AS "newSum", q.rows AS "quarantined", q.wrong AS "quarantineWrong", q.conflicts
FROM everything e,
  LATERAL (SELECT count(*) AS rows, coalesce(sum(hashfloat8extended(hash_record_extended(:{old_content}, 0)::float8, 0)::numeric), 0) AS sum, count(*) FILTER (WHERE :{moved}) AS moved FROM ONLY :"old" o
    WHERE NOT e.pending AND NOT EXISTS (SELECT FROM :"quarantine" q WHERE :{old_quarantined}) AND NOT EXISTS (SELECT FROM log l WHERE :{old_pending})) o,
  LATERAL (SELECT count(*) AS rows, coalesce(sum(hashfloat8extended(hash_record_extended(:{new_content}, 0)::float8, 0)::numeric), 0) AS sum FROM ONLY :"new" n
    WHERE NOT e.pending AND NOT EXISTS (SELECT FROM log l WHERE :{new_pending}) AND NOT EXISTS (SELECT FROM :"quarantine" q WHERE :{new_quarantined})) n,
  LATERAL (SELECT count(*) AS rows, count(*) FILTER (WHERE NOT e.pending AND :{quarantine_wrong}) AS wrong, count(*) FILTER (WHERE EXISTS (SELECT FROM ONLY :"new" n WHERE :{new_quarantined})) AS conflicts FROM :"quarantine" q) q
