-- per key, at one snapshot: every row of the retired source is accounted for, and what the target holds is what it was; keys written since and not yet carried are left out; ACCESS SHARE
WITH pending AS MATERIALIZED (SELECT :{k} FROM :"log" WHERE op IN ('U', 'D'))
SELECT (SELECT count(*) FROM ONLY :"from") AS source, (SELECT count(*) FROM ONLY :"into") AS target,
       (SELECT count(*) FROM :"log" WHERE op IN ('T', 'X')) AS unclear,
       (SELECT count(*) FROM pending) AS pending,
       (SELECT count(*) FROM :"quarantine") AS quarantined,
       (SELECT count(*) FROM ONLY :"from" f WHERE :{keyless}) AS keyless,
       (SELECT count(*) FROM ONLY :"from" f WHERE NOT (:{keyless}) AND NOT EXISTS (SELECT FROM :"merged" m WHERE :{match_fm})) AS unaccounted,
       (SELECT count(*) FROM :"merged" m WHERE NOT EXISTS (SELECT FROM ONLY :"from" f WHERE :{match_fm})) AS surplus,
       (SELECT count(*) FROM (SELECT :{source_key}, :{converted} FROM ONLY :"from") s JOIN :"merged" m ON :{match_ms} WHERE m.class IN ('n', 'i', 'c') AND :{h_src} <> m.h_src
          AND NOT EXISTS (SELECT FROM pending p WHERE :{match_pm})) AS source_differs,
       (SELECT count(*) FROM :"merged" m WHERE m.class = 'n' AND NOT EXISTS (SELECT FROM pending p WHERE :{match_pm})
          AND NOT EXISTS (SELECT FROM ONLY :"into" t WHERE :{match_tm} AND :{h_all} = m.h_all AND :{h_map} = m.h_src)) AS target_differs,
       (SELECT count(*) FROM :"merged" m WHERE m.class = 'n') AS fresh,
       (SELECT count(*) FROM :"merged" m WHERE m.class = 'i') AS identical,
       (SELECT count(*) FROM :"merged" m WHERE m.class = 'c') AS conflicts,
       (SELECT count(*) FROM :"merged" m WHERE m.class = 'x') AS stuck
