-- body of the forward drain: for each logged key, what the source holds now goes into the target, or is judged identical or in conflict; the target's own changes are never overwritten
-- the tables grow from nothing while the plans are cached: without this the first, empty state would decide how thousands of keys are joined
PERFORM set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true);
IF truncated THEN
  SELECT :{key_arrays} INTO :{ks} FROM (SELECT :{s} FROM :"merged" UNION SELECT :{source_key} FROM ONLY :"from" WHERE NOT (:{source_keyless})) x;
END IF;
INSERT INTO :"stage" (:{s}, :{c}) SELECT :{r_s}, :{r_c} FROM (SELECT :{source_key}, :{expressions} FROM ONLY :"from") r JOIN unnest(:{ks}) AS g(:{g}) ON :{match_rg};
-- gone from the source: leaves the target when it is still as we put it
DELETE FROM ONLY :"into" t USING :"merged" m, unnest(:{ks}) AS g(:{g})
  WHERE :{match_mg} AND m.class = 'n' AND :{match_tm} AND :{h_all} = m.h_all AND NOT EXISTS (SELECT FROM :"stage" s WHERE :{match_ms}) AND :{unreferenced};
DELETE FROM :"merged" m USING unnest(:{ks}) AS g(:{g}) WHERE :{match_mg} AND NOT EXISTS (SELECT FROM :"stage" s WHERE :{match_ms});
:{put_again}
-- everything else that is new or changed is judged anew
DELETE FROM :"merged" m USING :"stage" s WHERE :{match_ms} AND (m.class <> 'n' OR m.h_src <> :{h_src});
WITH put AS (
  INSERT INTO :"into" AS t (:{targets}) OVERRIDING SYSTEM VALUE
  SELECT :{s_c} FROM :"stage" s
  WHERE NOT EXISTS (SELECT FROM :"merged" m WHERE :{match_ms}) AND NOT EXISTS (SELECT FROM ONLY :"into" t WHERE :{match_ts}) AND :{fits}
  ON CONFLICT (:{target_key}) DO NOTHING
  RETURNING :{t_key}, :{h_all} AS h_all, :{h_rest} AS h_rest
)
INSERT INTO :"merged" SELECT :{s_s}, :{s_k}, 'n', :{h_src}, put.h_all, put.h_rest FROM put JOIN :"stage" s ON :{match_ps};
INSERT INTO :"merged" SELECT :{s_s}, :{s_k}, CASE WHEN t.tableoid IS NOT NULL AND :{same} THEN 'i' ELSE 'c' END::"char", :{h_src}, NULL, NULL
  FROM :"stage" s LEFT JOIN ONLY :"into" t ON :{match_ts} WHERE NOT EXISTS (SELECT FROM :"merged" m WHERE :{match_ms});
-- not DELETE: the dead rows of a thousand batches would be read again by every batch
TRUNCATE :"stage";
PERFORM set_config('enable_seqscan', 'on', true)
