-- functions, procedures and aggregates of the schemas ($1); aggregates by the parts they are made of; locks nothing
SELECT n.nspname AS schema, NULL AS parent, pg_catalog.format('%s(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name,
       pg_catalog.jsonb_build_object(
         'kind', CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'window function' END,
         'definition', CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid)
                            ELSE pg_catalog.format('returns %s, transition %s on %s, final %s, start %s', pg_catalog.pg_get_function_result(p.oid), g.aggtransfn::regprocedure, pg_catalog.format_type(g.aggtranstype, NULL), g.aggfinalfn::regprocedure, coalesce(g.agginitval, 'null')) END
       ) AS facts
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_aggregate g ON g.aggfnoid = p.oid
WHERE n.nspname = ANY ($1::text[])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
