-- roles that own objects of this database, are named in grants or policies, or are members of such; pg_roles holds no passwords; locks nothing
WITH RECURSIVE used(oid) AS (
  SELECT d.refobjid FROM pg_catalog.pg_shdepend d
   WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  UNION SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION SELECT p.proowner FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION SELECT t.typowner FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
), closed(oid) AS (
  SELECT oid FROM used
  UNION SELECT m.roleid FROM closed JOIN pg_catalog.pg_auth_members m ON m.member = closed.oid
)
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreatedb AS createdb, r.rolcreaterole AS createrole, r.rolbypassrls AS bypassrls,
       EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE r.oid = ANY (p.polroles)) AS "inPolicies",
       coalesce((SELECT pg_catalog.array_agg(g.rolname::text ORDER BY g.rolname) FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '{}') AS "memberOf"
FROM closed JOIN pg_catalog.pg_roles r ON r.oid = closed.oid
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname
