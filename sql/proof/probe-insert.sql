-- one probe row, a copy of an existing one where there is one; ROW EXCLUSIVE until the caller rolls back
INSERT INTO :"table" (:{columns}) SELECT :{values} FROM :{source} LIMIT 1 RETURNING ctid::pg_catalog.text AS ctid
