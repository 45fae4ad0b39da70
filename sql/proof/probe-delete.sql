-- deletes the probe row; ROW EXCLUSIVE until the caller rolls back
DELETE FROM ONLY :"table" WHERE ctid = $1::pg_catalog.tid RETURNING 1 AS gone
