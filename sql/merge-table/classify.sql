-- how the rows of the source would fare now: new, identical, conflict (or without a key, or not fit to enter); exact, one snapshot; ACCESS SHARE on both
SELECT count(*) AS rows, count(*) FILTER (WHERE x.class = 'n') AS fresh, count(*) FILTER (WHERE x.class = 'i') AS identical, count(*) FILTER (WHERE x.class = 'c') AS conflicts,
       count(*) FILTER (WHERE x.long) AS long, count(*) FILTER (WHERE x.keyless) AS keyless,
       coalesce((array_agg(x.key ORDER BY x.key) FILTER (WHERE x.class = 'c'))[1:100], '{}') AS keys,
       count(*) - count(DISTINCT x.target) FILTER (WHERE NOT x.keyless) - count(*) FILTER (WHERE x.keyless) AS collisions,
       -- every conversion is made, also of rows that nothing above looks into: one that fails must fail here
       count(x.whole) AS converted
FROM (
  SELECT :{key_text} AS key, ROW(:{whole}) AS whole, ROW(:{target_key})::text AS target, :{long} AS long, :{keyless} AS keyless,
         CASE WHEN :{keyless} THEN 'c' WHEN t.tableoid IS NULL THEN CASE WHEN :{fits} THEN 'n' ELSE 'c' END WHEN :{same} THEN 'i' ELSE 'c' END AS class
  FROM (SELECT :{source_key}, :{converted}, :{lengths} FROM ONLY :"from") s LEFT JOIN ONLY :"into" t ON :{match}
) x
