-- whether a table of ours is there; locks nothing
SELECT to_regclass(:'table') IS NOT NULL AS found
