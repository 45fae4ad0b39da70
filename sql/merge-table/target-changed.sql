-- whether the target of a merge has other columns than when it was merged, lacks one of them, or its capture was switched off meanwhile (unknown when nothing was noted); locks nothing
SELECT h.now IS DISTINCT FROM h.then AS columns, NOT coalesce(h.then <@ h.now, false) AS missing, :'captured' <> '' AND (:{capture_state}) <> :'captured' AS capture
FROM (SELECT (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a WHERE a.attrelid = :{oid}::oid AND a.attnum > 0 AND NOT a.attisdropped) AS now,
             (SELECT array_agg(c ORDER BY c COLLATE "C") FROM unnest(ARRAY[:{names}]::text[]) c) AS then) h
