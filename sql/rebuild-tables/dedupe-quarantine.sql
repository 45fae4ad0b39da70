-- the same for rows that were set aside while copying; locks nothing of the application
DELETE FROM :"quarantine" q USING :"log" l WHERE :{match}
