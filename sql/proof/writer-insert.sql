-- copies a row with fresh unique values; ROW EXCLUSIVE
INSERT INTO :"table" AS n (:{columns}) SELECT :{values} FROM :"table" AS t WHERE :{template} LIMIT 1 RETURNING :{key} AS key
