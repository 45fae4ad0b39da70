-- merged rows that rows of other tables refer to by keys that led to the target already: they would stay in it; ACCESS SHARE
SELECT count(*) AS rows, coalesce((array_agg(:{key_text} ORDER BY 1))[1:100], '{}') AS keys
FROM :"merged" m JOIN ONLY :"into" t ON :{match_tm} WHERE m.class = 'n' AND NOT (:{unreferenced})
