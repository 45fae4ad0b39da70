-- installed extensions, and whether an object of the user's own needs one of their members; locks nothing
SELECT e.extname AS name, n.nspname AS schema, e.extversion AS version,
       EXISTS (SELECT FROM pg_catalog.pg_depend m
               JOIN pg_catalog.pg_depend u ON u.refclassid = m.classid AND u.refobjid = m.objid AND u.deptype IN ('n', 'a')
               WHERE m.refclassid = 'pg_catalog.pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
                 AND u.classid <> 'pg_catalog.pg_extension'::regclass
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend o WHERE o.classid = u.classid AND o.objid = u.objid AND o.deptype = 'e')
                 AND u.objid >= 16384) AS needed
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY 1
