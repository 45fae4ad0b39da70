-- part of the forward drain: the source changed, and the target still holds what we put: it is put again
UPDATE ONLY :"into" t SET :{set} FROM :"stage" s, :"merged" m
  WHERE :{match_ms} AND m.class = 'n' AND m.h_src <> :{h_src} AND :{match_tm} AND :{match_ts} AND :{h_all} = m.h_all AND :{fits};
UPDATE :"merged" m SET h_src = :{h_src}, h_all = :{h_all} FROM :"stage" s, ONLY :"into" t
  WHERE :{match_ms} AND m.class = 'n' AND m.h_src <> :{h_src} AND :{match_tm} AND :{same} AND :{h_rest} = m.h_rest;
