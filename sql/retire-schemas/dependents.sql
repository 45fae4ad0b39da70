-- everything outside the given schemas that depends on anything in them: each object once, by kind and name; locks nothing
WITH root AS (
  SELECT n.oid FROM pg_namespace n WHERE n.oid = ANY (:{oids})
), rel AS (
  SELECT c.oid, c.reltoastrelid FROM pg_class c JOIN root r ON r.oid = c.relnamespace
), keys AS (
  SELECT k.oid FROM pg_constraint k JOIN rel ON rel.oid = k.conrelid
), family AS (
  SELECT f.oid FROM pg_opfamily f JOIN root r ON r.oid = f.opfnamespace
), part(class, oid) AS (
  SELECT 'pg_namespace'::regclass, oid FROM root
  UNION ALL SELECT 'pg_class'::regclass, oid FROM rel
  UNION ALL SELECT 'pg_class'::regclass, reltoastrelid FROM rel WHERE reltoastrelid <> 0
  UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN rel ON i.indrelid = rel.reltoastrelid
  UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN root r ON r.oid = t.typnamespace
  UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN root r ON r.oid = p.pronamespace
  UNION ALL SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o JOIN root r ON r.oid = o.oprnamespace
  UNION ALL SELECT 'pg_opclass'::regclass, o.oid FROM pg_opclass o JOIN root r ON r.oid = o.opcnamespace
  UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM family
  UNION ALL SELECT 'pg_amop'::regclass, a.oid FROM pg_amop a JOIN family f ON f.oid = a.amopfamily
  UNION ALL SELECT 'pg_amproc'::regclass, a.oid FROM pg_amproc a JOIN family f ON f.oid = a.amprocfamily
  UNION ALL SELECT 'pg_collation'::regclass, c.oid FROM pg_collation c JOIN root r ON r.oid = c.collnamespace
  UNION ALL SELECT 'pg_conversion'::regclass, c.oid FROM pg_conversion c JOIN root r ON r.oid = c.connamespace
  UNION ALL SELECT 'pg_ts_config'::regclass, c.oid FROM pg_ts_config c JOIN root r ON r.oid = c.cfgnamespace
  UNION ALL SELECT 'pg_ts_dict'::regclass, d.oid FROM pg_ts_dict d JOIN root r ON r.oid = d.dictnamespace
  UNION ALL SELECT 'pg_ts_parser'::regclass, p.oid FROM pg_ts_parser p JOIN root r ON r.oid = p.prsnamespace
  UNION ALL SELECT 'pg_ts_template'::regclass, t.oid FROM pg_ts_template t JOIN root r ON r.oid = t.tmplnamespace
  UNION ALL SELECT 'pg_statistic_ext'::regclass, x.oid FROM pg_statistic_ext x JOIN root r ON r.oid = x.stxnamespace
  UNION ALL SELECT 'pg_default_acl'::regclass, a.oid FROM pg_default_acl a JOIN root r ON r.oid = a.defaclnamespace
  UNION ALL SELECT 'pg_constraint'::regclass, oid FROM keys
  UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN root r ON r.oid = t.typnamespace
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN rel ON rel.oid = d.adrelid
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM rel) OR t.tgconstraint IN (SELECT oid FROM keys)
  UNION ALL SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN rel ON rel.oid = w.ev_class
  UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN rel ON rel.oid = p.polrelid
)
SELECT DISTINCT CASE WHEN d.classid = 'pg_constraint'::regclass AND k.contype = 'f' THEN 'foreign key'
            WHEN v.relkind = 'v' THEN 'view' WHEN v.relkind = 'm' THEN 'materialized view' WHEN w.oid IS NOT NULL THEN 'rule'
            ELSE i.type END AS kind,
       CASE WHEN v.relkind IN ('v', 'm') THEN format('%I.%I', n.nspname, v.relname) ELSE i.identity END AS identity,
       coalesce(n.nspname, kn.nspname, i.schema)::text AS schema,
       o.identity AS on
FROM part p
JOIN pg_depend d ON d.refclassid = p.class AND d.refobjid = p.oid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_class v ON v.oid = w.ev_class
LEFT JOIN pg_namespace n ON n.oid = v.relnamespace
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_class kc ON kc.oid = k.conrelid
LEFT JOIN pg_namespace kn ON kn.oid = kc.relnamespace
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) o
WHERE NOT EXISTS (SELECT FROM part q WHERE q.class = d.classid AND q.oid = d.objid)
  AND (k.oid IS NULL OR k.conparentid = 0)
ORDER BY 1, 2, 4
