-- digest of what must not change on a table while it is being rebuilt: columns (with xmin: ALTER … TYPE … USING may rewrite values and leave the type), constraints, indexes, triggers (with xmin), policies, rules, inheritance, options, and what depends on it; locks nothing
SELECT md5(concat_ws('|',
  (SELECT concat_ws(' ', c.relkind, c.relpersistence, c.relowner, c.relacl::text, c.reloptions::text, c.relrowsecurity, c.relforcerowsecurity, c.relreplident) FROM pg_class c WHERE c.oid = :{oid}),
  (SELECT string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attidentity, a.attgenerated, a.attacl::text, a.xmin), ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = :{oid} AND a.attnum > 0),
  (SELECT string_agg(concat_ws(' ', d.adnum, md5(d.adbin::text)), ',' ORDER BY d.adnum) FROM pg_attrdef d WHERE d.adrelid = :{oid}),
  (SELECT string_agg(concat_ws(' ', k.conname, k.contype, k.conrelid, k.confrelid, k.conkey::text, k.confkey::text, k.condeferrable, k.condeferred, k.convalidated), ',' ORDER BY k.oid) FROM pg_constraint k WHERE k.conrelid = :{oid} OR (k.contype = 'f' AND k.confrelid = :{oid})),
  (SELECT string_agg(concat_ws(' ', x.relname, i.indkey::text, i.indisunique, i.indisvalid, md5(coalesce(i.indexprs::text, '') || coalesce(i.indpred::text, ''))), ',' ORDER BY x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = :{oid}),
  (SELECT string_agg(concat_ws(' ', t.tgname, t.tgenabled, t.tgfoid, t.xmin), ',' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = :{oid} AND NOT t.tgisinternal AND t.tgname !~ '^aaa_lossless_guard'),
  (SELECT string_agg(p.polname, ',' ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = :{oid}),
  (SELECT string_agg(r.rulename, ',' ORDER BY r.rulename) FROM pg_rewrite r WHERE r.ev_class = :{oid}),
  (SELECT string_agg(h.inhrelid::text || h.inhparent::text, ',' ORDER BY h.inhrelid, h.inhparent) FROM pg_inherits h WHERE h.inhrelid = :{oid} OR h.inhparent = :{oid}),
  (SELECT string_agg(DISTINCT concat_ws(' ', d.classid, d.objid), ',' ORDER BY concat_ws(' ', d.classid, d.objid)) FROM pg_class c JOIN pg_type y ON y.oid = c.reltype
     JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_policy'::regclass)) OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray) AND d.classid <> 'pg_type'::regclass)
     WHERE c.oid = :{oid} AND NOT EXISTS (SELECT FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace WHERE d.classid = 'pg_proc'::regclass AND f.oid = d.objid AND n.nspname = 'lossless')),
  (SELECT string_agg(r.prpubid::text, ',' ORDER BY r.prpubid) FROM pg_publication_rel r WHERE r.prrelid = :{oid}))) AS print
