-- converts every row that waits in the log back to the old types; fails with 22xxx when one cannot be; ACCESS SHARE
SELECT count(*) FILTER (WHERE :{misfit}) AS misfits, :{values} AS converted FROM :"log" l JOIN ONLY :"table" n ON :{match}
