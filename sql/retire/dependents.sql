-- everything outside the given tables that depends on them or on what moves with them: each object once, by kind and name; locks nothing
WITH root AS (
  SELECT c.oid, c.reltype, t.typarray, c.reltoastrelid FROM pg_class c LEFT JOIN pg_type t ON t.oid = c.reltype WHERE c.oid = ANY (:{oids})
), keys AS (
  SELECT k.oid, k.conrelid AS root FROM pg_constraint k WHERE k.conrelid = ANY (:{oids})
), part(class, oid, root) AS (
  SELECT 'pg_class'::regclass, oid, oid FROM root
  UNION ALL SELECT 'pg_type'::regclass, reltype, oid FROM root
  UNION ALL SELECT 'pg_type'::regclass, typarray, oid FROM root WHERE typarray <> 0
  UNION ALL SELECT 'pg_class'::regclass, reltoastrelid, oid FROM root WHERE reltoastrelid <> 0
  UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, r.oid FROM pg_index i JOIN root r ON i.indrelid IN (r.oid, r.reltoastrelid)
  UNION ALL SELECT 'pg_constraint'::regclass, oid, root FROM keys
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, d.adrelid FROM pg_attrdef d JOIN root r ON r.oid = d.adrelid
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid, coalesce(k.root, t.tgrelid) FROM pg_trigger t LEFT JOIN keys k ON k.oid = t.tgconstraint
            WHERE k.oid IS NOT NULL OR t.tgrelid = ANY (:{oids})
  UNION ALL SELECT 'pg_rewrite'::regclass, w.oid, w.ev_class FROM pg_rewrite w JOIN root r ON r.oid = w.ev_class
  UNION ALL SELECT 'pg_policy'::regclass, p.oid, p.polrelid FROM pg_policy p JOIN root r ON r.oid = p.polrelid
  UNION ALL SELECT 'pg_statistic_ext'::regclass, x.oid, x.stxrelid FROM pg_statistic_ext x JOIN root r ON r.oid = x.stxrelid
  UNION ALL SELECT 'pg_class'::regclass, d.objid, r.oid FROM pg_depend d JOIN root r ON d.refobjid = r.oid JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
)
SELECT DISTINCT p.root AS oid,
       CASE WHEN d.classid = 'pg_constraint'::regclass AND k.contype = 'f' THEN 'foreign key'
            WHEN v.relkind = 'v' THEN 'view' WHEN v.relkind = 'm' THEN 'materialized view' WHEN w.oid IS NOT NULL THEN 'rule'
            ELSE i.type END AS kind,
       CASE WHEN v.relkind IN ('v', 'm') THEN format('%I.%I', n.nspname, v.relname) ELSE i.identity END AS identity,
       coalesce(n.nspname, kn.nspname, i.schema)::text AS schema
FROM part p
JOIN pg_depend d ON d.refclassid = p.class AND d.refobjid = p.oid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_class v ON v.oid = w.ev_class
LEFT JOIN pg_namespace n ON n.oid = v.relnamespace
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_class kc ON kc.oid = k.conrelid
LEFT JOIN pg_namespace kn ON kn.oid = kc.relnamespace
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE NOT EXISTS (SELECT FROM part q WHERE q.class = d.classid AND q.oid = d.objid)
  AND (k.oid IS NULL OR k.conparentid = 0)
ORDER BY 1, 2, 3
