-- settings of roles and databases that name a schema ($1 pattern) in their search_path; locks nothing
SELECT coalesce((SELECT d.datname FROM pg_database d WHERE d.oid = s.setdatabase), 'every database') AS database, coalesce(r.rolname, 'every role') AS role
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND EXISTS (SELECT FROM unnest(s.setconfig) c WHERE c ~ '^search_path=' AND c ~ $1)
ORDER BY 1, 2
