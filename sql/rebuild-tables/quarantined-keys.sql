-- keys that are set aside, as text; locks nothing of the application
SELECT ROW(:{key})::text AS key FROM :"quarantine" q LIMIT 10001
