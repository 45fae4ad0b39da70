-- Writes ledger rows given as json (hash, when, tag) in their order; ROW EXCLUSIVE on the ledger.
INSERT INTO :"ledger" (hash, created_at:{name_column}) SELECT x.hash, x."when":{name_value} FROM pg_catalog.jsonb_to_recordset(:'rows'::jsonb) AS x(hash text, "when" bigint, tag text, no int) ORDER BY x.no
