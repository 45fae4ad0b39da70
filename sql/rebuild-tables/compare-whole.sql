-- both sides of the proof at one snapshot when nothing waits and nothing is set aside: rows and the sum of row hashes in the new types; ACCESS SHARE
SELECT o.rows AS "oldRows", o.sum::text AS "oldSum", o.moved, n.rows AS "newRows", n.sum::text AS "newSum"
FROM (SELECT count(*) AS rows, coalesce(sum(hash_record_extended(:{old_content}, 0)::numeric), 0) AS sum, count(*) FILTER (WHERE :{moved}) AS moved FROM ONLY :"old" o) o,
  (SELECT count(*) AS rows, coalesce(sum(hash_record_extended(:{new_content}, 0)::numeric), 0) AS sum FROM ONLY :"new" n) n
