-- rows that are set aside, by reason; locks nothing of the application
SELECT lossless_reason AS reason, count(*) AS rows, (array_agg(ROW(:{key})::text))[1:100] AS keys FROM :"quarantine" q GROUP BY 1 ORDER BY 1
