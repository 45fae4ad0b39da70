-- how the merged keys are accounted for, and the keys in conflict; locks nothing but ACCESS SHARE
SELECT count(*) FILTER (WHERE m.class = 'n') AS fresh, count(*) FILTER (WHERE m.class = 'i') AS identical, count(*) FILTER (WHERE m.class = 'c') AS conflicts, count(*) FILTER (WHERE m.class = 'x') AS stuck,
       coalesce((array_agg(:{key_text} ORDER BY 1) FILTER (WHERE m.class = 'c'))[1:100], '{}') AS conflict_keys,
       coalesce((array_agg(:{key_text} ORDER BY 1) FILTER (WHERE m.class = 'x'))[1:100], '{}') AS stuck_keys,
       (SELECT count(*) FROM ONLY :"from" f WHERE :{keyless}) AS keyless
FROM :"merged" m
