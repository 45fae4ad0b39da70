-- exports the caller's REPEATABLE READ snapshot for other sessions and pg_dump; valid until the caller's transaction ends
SELECT pg_catalog.pg_export_snapshot() AS id,
       pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
       pg_catalog.current_setting('server_version') AS version,
       (SELECT pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS encoding,
       (SELECT d.datcollate::text FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS collate,
       (SELECT d.datctype::text FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS ctype,
       (SELECT coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS provider,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata l
         WHERE NOT pg_catalog.pg_has_role(l.lomowner, 'USAGE')
           AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
           AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)) AS hidden_large_objects
