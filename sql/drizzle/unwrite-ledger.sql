-- Deletes the ledger rows with the given ids; ROW EXCLUSIVE on the ledger.
DELETE FROM :"ledger" WHERE id = ANY (:{ids})
