-- rows in a change log that wait to be carried, and whether it holds the marker of an unreadable key; locks nothing
SELECT count(*) FILTER (WHERE op <> 'X') AS waiting, coalesce(bool_or(op = 'X'), false) AS unreadable, coalesce(bool_or(op = 'T'), false) AS truncated FROM :"log"
