-- whether a log and a quarantine are both empty; locks nothing
SELECT NOT EXISTS (SELECT FROM :"log") AND NOT EXISTS (SELECT FROM :"quarantine") AS nothing
