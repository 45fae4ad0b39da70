-- keys that a set-aside row has and a row of the table as well; ACCESS SHARE
SELECT ROW(:{key})::text AS key FROM :"quarantine" q JOIN ONLY :"table" n ON :{match} LIMIT 100
