-- rows without a parent for one foreign key, those that lose it by a chain not counted; ACCESS SHARE
SELECT count(*) AS rows FROM :{child} c WHERE :{given} AND NOT EXISTS (SELECT FROM :{parent} p WHERE :{match})
