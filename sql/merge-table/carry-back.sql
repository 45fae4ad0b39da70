-- body of the reverse drain: what the application did to merged rows since goes to the retired source, by the inverse mapping; class x: it changed what the source has no place for
PERFORM set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true);
IF truncated THEN
  SELECT :{key_arrays} INTO :{ks} FROM (SELECT :{k} FROM :"merged") x;
END IF;
DELETE FROM ONLY :"retired" f USING :"merged" m, unnest(:{ks}) AS g(:{g})
  WHERE :{match_kg} AND m.class IN ('n', 'x') AND :{match_fm} AND NOT EXISTS (SELECT FROM ONLY :"into" t WHERE :{match_tm});
DELETE FROM :"merged" m USING unnest(:{ks}) AS g(:{g})
  WHERE :{match_kg} AND m.class IN ('n', 'x') AND NOT EXISTS (SELECT FROM ONLY :"into" t WHERE :{match_tm});
UPDATE :"merged" m SET class = CASE WHEN :{h_rest} = m.h_rest THEN 'n' ELSE 'x' END::"char" FROM unnest(:{ks}) AS g(:{g}), ONLY :"into" t
  WHERE :{match_kg} AND m.class IN ('n', 'x') AND :{match_tm};
:{carry}
UPDATE :"merged" m SET h_src = :{h_map}, h_all = :{h_all} FROM unnest(:{ks}) AS g(:{g}), ONLY :"into" t
  WHERE :{match_kg} AND m.class = 'n' AND :{match_tm} AND :{h_all} <> m.h_all;
PERFORM set_config('enable_seqscan', 'on', true)
