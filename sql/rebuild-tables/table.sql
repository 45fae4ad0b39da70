-- everything the catalog says about one table that a rebuild carries over or refuses, as one JSON object; locks nothing
SELECT json_build_object(
  'oid', c.oid::int8, 'kind', c.relkind, 'persistence', c.relpersistence, 'typed', c.reloftype <> 0, 'owner', pg_get_userbyid(c.relowner),
  'owned', pg_has_role(c.relowner, 'USAGE'), 'mine', c.relowner = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user),
  'family', EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid),
  'extension', (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
  'rowSecurity', c.relrowsecurity, 'forcedRowSecurity', c.relforcerowsecurity, 'replicaIdentity', c.relreplident,
  'options', coalesce(to_json(c.reloptions), '[]'), 'toastOptions', coalesce((SELECT to_json(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid), '[]'),
  'accessMethod', (SELECT a.amname FROM pg_am a WHERE a.oid = c.relam), 'tablespace', c.reltablespace <> 0,
  'bytes', pg_total_relation_size(c.oid), 'comment', obj_description(c.oid, 'pg_class'), 'acl', c.relacl::text,
  'subscribed', EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid),
  'labelled', EXISTS (SELECT FROM pg_seclabel s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = c.oid),
  'publications', (SELECT coalesce(json_agg(DISTINCT p.pubname), '[]') FROM pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname),
  'grants', (SELECT coalesce(json_agg(json_build_object('grantee', CASE WHEN g.grantee = 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END, 'privilege', g.privilege_type, 'grantable', g.is_grantable, 'column', g.col) ORDER BY g.pos), '[]')
    FROM (SELECT x.grantee, x.privilege_type, x.is_grantable, NULL::name AS col, row_number() OVER () AS pos FROM aclexplode(c.relacl) x WHERE c.relacl IS NOT NULL
          UNION ALL
          SELECT x.grantee, x.privilege_type, x.is_grantable, a.attname, 1000 + row_number() OVER () FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attacl IS NOT NULL) g),
  'columns', (SELECT coalesce(json_agg(json_build_object(
      'name', a.attname, 'number', a.attnum, 'type', format_type(a.atttypid, a.atttypmod), 'bare', format_type(a.atttypid, NULL), 'builtin', tn.nspname = 'pg_catalog', 'typeKind', t.typtype,
      'collation', CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN (SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
      'notNull', a.attnotnull, 'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, 'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'generatedKind', a.attgenerated, 'identity', a.attidentity, 'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, 'compression', a.attcompression,
      'statistics', (SELECT nullif(s.v, -1) FROM (SELECT coalesce((to_jsonb(a) ->> 'attstattarget')::int, -1) AS v) s), 'options', coalesce(to_json(a.attoptions), '[]'),
      'acl', a.attacl::text, 'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum), '[]')
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'constraints', (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'type', k.contype, 'definition', pg_get_constraintdef(k.oid), 'columns', (SELECT coalesce(json_agg(a.attname ORDER BY u.o), '[]') FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
      'validated', k.convalidated, 'deferrable', k.condeferrable, 'deferred', k.condeferred, 'local', k.conislocal, 'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname), '[]')
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'p', 'u', 'x')),
  'notNulls', (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint'),
      'columns', (SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))) ORDER BY k.conname), '[]')
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n'),
  'foreignKeys', (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'definition', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''), 'validated', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint'),
      'child', json_build_object('schema', cn.nspname, 'name', cc.relname), 'parent', json_build_object('schema', pn.nspname, 'name', pc.relname), 'childOid', cc.oid::int8, 'parentOid', pc.oid::int8, 'childKind', cc.relkind, 'parentKind', pc.relkind,
      'childOwned', pg_has_role(cc.relowner, 'USAGE'), 'parentOwned', pg_has_role(pc.relowner, 'USAGE'),
      'childColumns', (SELECT json_agg(a.attname ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
      'parentColumns', (SELECT json_agg(a.attname ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)) ORDER BY cn.nspname, cc.relname, k.conname), '[]')
    FROM pg_constraint k JOIN pg_class cc ON cc.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = cc.relnamespace JOIN pg_class pc ON pc.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = pc.relnamespace
    WHERE k.contype = 'f' AND (k.conrelid = c.oid OR k.confrelid = c.oid) AND k.conparentid = 0),
  'indexes', (SELECT coalesce(json_agg(json_build_object('name', ic.relname, 'definition', pg_get_indexdef(i.indexrelid), 'rest', (SELECT CASE WHEN starts_with(pg_get_indexdef(i.indexrelid), f.head) THEN substr(pg_get_indexdef(i.indexrelid), length(f.head) + 1) END FROM (SELECT format('CREATE %sINDEX %I ON %I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' END, ic.relname, n.nspname, c.relname) AS head) f), 'unique', i.indisunique, 'valid', i.indisvalid AND i.indisready AND i.indislive, 'constraint', (SELECT k.conname FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = c.oid),
      'columns', (SELECT coalesce(json_agg(a.attname ORDER BY u.o) FILTER (WHERE u.o <= i.indnkeyatts), '[]') FROM unnest(i.indkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n),
      'expression', pg_get_expr(i.indexprs, i.indrelid), 'predicate', pg_get_expr(i.indpred, i.indrelid),
      'mentions', (SELECT coalesce(json_agg(DISTINCT a.attname), '[]') FROM pg_depend d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0),
      'special', (SELECT coalesce(json_agg(a.attname), '[]') FROM unnest(i.indkey, i.indclass, i.indcollation) u(n, opclass, coll) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n JOIN pg_opclass o ON o.oid = u.opclass WHERE NOT o.opcdefault OR (u.coll <> 0 AND u.coll <> a.attcollation)),
      'clustered', i.indisclustered, 'replicaIdentity', i.indisreplident, 'tablespace', ic.reltablespace <> 0, 'bytes', pg_relation_size(i.indexrelid), 'comment', obj_description(i.indexrelid, 'pg_class'),
      'tuned', EXISTS (SELECT FROM pg_attribute ia WHERE ia.attrelid = i.indexrelid AND coalesce((to_jsonb(ia) ->> 'attstattarget')::int, -1) >= 0)) ORDER BY ic.relname), '[]')
    FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid),
  'sequences', (SELECT coalesce(json_agg(json_build_object('schema', sn.nspname, 'name', sc.relname, 'column', a.attname, 'kind', CASE d.deptype WHEN 'a' THEN 'serial' ELSE 'identity' END, 'type', format_type(s.seqtypid, NULL), 'start', s.seqstart::text, 'increment', s.seqincrement::text,
      'min', s.seqmin::text, 'max', s.seqmax::text, 'cache', s.seqcache::text, 'cycle', s.seqcycle, 'comment', obj_description(sc.oid, 'pg_class'), 'acl', sc.relacl::text, 'owned', pg_has_role(sc.relowner, 'USAGE'),
      'grants', (SELECT coalesce(json_agg(json_build_object('grantee', CASE WHEN x.grantee = 0 THEN NULL ELSE pg_get_userbyid(x.grantee) END, 'privilege', x.privilege_type, 'grantable', x.is_grantable, 'column', NULL)), '[]') FROM aclexplode(sc.relacl) x WHERE sc.relacl IS NOT NULL),
      'usedElsewhere', EXISTS (SELECT FROM pg_depend e WHERE e.refclassid = 'pg_class'::regclass AND e.refobjid = sc.oid AND e.deptype = 'n' AND NOT (e.classid = 'pg_attrdef'::regclass AND e.objid IN (SELECT ad.oid FROM pg_attrdef ad JOIN pg_class ac ON ac.oid = ad.adrelid JOIN pg_namespace an ON an.oid = ac.relnamespace WHERE ad.adrelid = c.oid OR an.nspname LIKE 'lossless\_%')))) ORDER BY sc.relname), '[]')
    FROM pg_depend d JOIN pg_class sc ON sc.oid = d.objid AND sc.relkind = 'S' JOIN pg_namespace sn ON sn.oid = sc.relnamespace JOIN pg_sequence s ON s.seqrelid = sc.oid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype IN ('a', 'i')),
  'dependents', (SELECT coalesce(json_agg(DISTINCT regexp_replace(pg_describe_object(d.classid, d.objid, d.objsubid), '^rule "?_RETURN"? on ', '')), '[]')
    FROM pg_depend d LEFT JOIN pg_type ty ON ty.oid = c.reltype
    WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (c.reltype, ty.typarray)))
      AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (c.reltype, ty.typarray))
      AND NOT (d.classid = 'pg_class'::regclass AND d.objid = c.oid)
      AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class x WHERE x.oid = d.objid AND (x.relkind IN ('i', 'I', 't') OR (x.relkind = 'S' AND d.deptype IN ('a', 'i')))))
      AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_attrdef x WHERE x.oid = d.objid AND x.adrelid = c.oid))
      AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint x WHERE x.oid = d.objid AND (x.conrelid = c.oid OR (x.contype = 'f' AND x.confrelid = c.oid))))
      AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger x WHERE x.oid = d.objid AND (x.tgisinternal OR x.tgname ~ '^(zzz|aaa)_lossless_')))
      AND NOT (d.classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc x JOIN pg_namespace xn ON xn.oid = x.pronamespace WHERE x.oid = d.objid AND xn.nspname = 'lossless'))),
  'mentionedBy', (SELECT coalesce(json_agg(DISTINCT f.oid::regprocedure::text), '[]') FROM pg_proc f JOIN pg_namespace fn ON fn.oid = f.pronamespace JOIN pg_language l ON l.oid = f.prolang
    WHERE l.lanname IN ('sql', 'plpgsql') AND fn.nspname NOT IN ('pg_catalog', 'information_schema', 'lossless') AND position(c.relname IN f.prosrc) > 0)
) AS shape
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
