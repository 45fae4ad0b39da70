-- merged rows that the application changed in columns for which the source has no place: an undo would lose that; ACCESS SHARE
SELECT count(*) AS rows, coalesce((array_agg(:{key_text} ORDER BY 1))[1:100], '{}') AS keys
FROM :"merged" m JOIN ONLY :"into" t ON :{match_tm} WHERE m.class IN ('n', 'x') AND :{h_rest} <> m.h_rest
