-- one pass over a table before anything changes: rows, rows the conversion loses something of, keys that do not come back as they were, rows too long or empty for the new column; fails with 22xxx when a value cannot be converted; ACCESS SHARE
SELECT count(*) AS rows, count(*) FILTER (WHERE :{loses}) AS lossy, count(*) FILTER (WHERE :{key_moves}) AS moved, count(*) FILTER (WHERE :{unfit}) AS unfit, :{conversions} AS converted
FROM ONLY :"table" o
