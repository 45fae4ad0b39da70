-- part of the reverse drain: columns that can be carried back are
UPDATE ONLY :"retired" f SET :{set} FROM :"merged" m, unnest(:{ks}) AS g(:{g}), (SELECT :{back_key}, :{back}, :{h_all} AS h_all FROM ONLY :"into" t) b
  WHERE :{match_kg} AND m.class = 'n' AND :{match_fm} AND :{match_bm} AND b.h_all <> m.h_all;
