-- The rows of drizzle's ledger, oldest first (to_jsonb because only v1 has a column name); ACCESS SHARE on it.
SELECT l.id, l.hash, l.created_at, pg_catalog.to_jsonb(l) ->> 'name' AS name FROM :"ledger" l ORDER BY l.id
