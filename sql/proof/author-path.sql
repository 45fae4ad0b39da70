-- resolves the plan author's unqualified names ($1: a search_path) until the end of the transaction; locks nothing
SELECT pg_catalog.set_config('search_path', $1, true)
