-- Acknowledged writes that the tables do not hold: the last one per id decides.
WITH last AS (SELECT DISTINCT ON (id) id, op, v FROM app.writes WHERE op IN ('u', 'i', 'd') ORDER BY id, seq DESC),
     judged AS (SELECT l.*, e.id IS NOT NULL AS found, e.file_size FROM last l LEFT JOIN app.exports e ON e.id::text = l.id::text)
SELECT (SELECT count(*) FROM app.writes)::int AS writes,
       (count(*) FILTER (WHERE op IN ('u', 'i') AND NOT found) + count(*) FILTER (WHERE op IN ('u', 'i') AND found AND file_size IS DISTINCT FROM v)
        + count(*) FILTER (WHERE op = 'd' AND found)
        -- an analytics row goes with its export
        + (SELECT count(*) FROM app.writes w WHERE w.op = 'a' AND NOT EXISTS (SELECT FROM app.export_analytics a WHERE a.id = w.id)
             AND NOT EXISTS (SELECT FROM app.writes d WHERE d.op = 'd' AND d.id = (SELECT i.id FROM app.writes i WHERE i.op = 'i' AND i.v = w.v)))
        + (SELECT count(*) FROM app.export_analytics a WHERE NOT EXISTS (SELECT FROM app.exports e WHERE e.id::text = a.export_id::text)))::int AS lost
  FROM judged
