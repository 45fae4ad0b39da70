-- keys whose rows differ between the two sides, keys that wait in the log left out; ACCESS SHARE
WITH log AS NOT MATERIALIZED (SELECT * FROM :"log"),
o AS NOT MATERIALIZED (SELECT :{old_key}, :{old_content} AS content FROM ONLY :"old" o WHERE NOT EXISTS (SELECT FROM :"quarantine" q WHERE :{old_quarantined}) AND NOT EXISTS (SELECT FROM log l WHERE :{old_pending})),
n AS NOT MATERIALIZED (SELECT :{new_key}, :{new_content} AS content FROM ONLY :"new" n WHERE NOT EXISTS (SELECT FROM log l WHERE :{new_pending}) AND NOT EXISTS (SELECT FROM :"quarantine" q WHERE :{new_quarantined}))
SELECT ROW(:{both})::text AS key, CASE WHEN o.content IS NULL THEN 'extra' WHEN n.content IS NULL THEN 'missing' ELSE 'different' END AS what
FROM o FULL JOIN n USING (:{keys}) WHERE o.content IS DISTINCT FROM n.content LIMIT 100
