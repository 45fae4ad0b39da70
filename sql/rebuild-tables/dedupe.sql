-- removes every copied row whose key is in the log: it may be there twice or be stale, and the drain makes it again; ROW EXCLUSIVE on the shadow
DELETE FROM :"shadow" s USING (SELECT DISTINCT :{keys} FROM (SELECT :{logged} FROM :"log" l WHERE l.op IN ('U', 'D')) AS o WHERE :{fit} OFFSET 0) l WHERE :{match}
