-- objects outside the schemas ($1) that need an object inside them, so that a dump without those schemas could not be restored; locks nothing
WITH placed(classid, objid, nsp) AS (
  SELECT 'pg_catalog.pg_class'::regclass::oid, oid, relnamespace FROM pg_catalog.pg_class
  UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid, pronamespace FROM pg_catalog.pg_proc
  UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid, typnamespace FROM pg_catalog.pg_type
  UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid, connamespace FROM pg_catalog.pg_constraint
  UNION ALL SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid, c.relnamespace FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, c.relnamespace FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, a.oid, c.relnamespace FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid
  UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, p.oid, c.relnamespace FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
)
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS object, inside.nspname AS schema
FROM pg_catalog.pg_depend d
JOIN placed a ON a.classid = d.classid AND a.objid = d.objid
JOIN placed b ON b.classid = d.refclassid AND b.objid = d.refobjid
JOIN pg_catalog.pg_namespace inside ON inside.oid = b.nsp AND inside.nspname = ANY ($1::text[])
JOIN pg_catalog.pg_namespace outside ON outside.oid = a.nsp AND outside.nspname !~ '^pg_' AND NOT outside.nspname = ANY ($1::text[])
WHERE d.deptype IN ('n', 'a', 'i')
ORDER BY 1
LIMIT 20
