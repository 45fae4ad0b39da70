-- one probe row of defaults; ROW EXCLUSIVE until the caller rolls back
INSERT INTO :"table" DEFAULT VALUES RETURNING ctid::pg_catalog.text AS ctid
