-- writes the probe row's own value over itself; ROW EXCLUSIVE until the caller rolls back
UPDATE ONLY :"table" SET :"column" = :"column" WHERE ctid = $1::pg_catalog.tid RETURNING ctid::pg_catalog.text AS ctid
