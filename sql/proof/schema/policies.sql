-- row security policies on tables of the schemas ($1); locks nothing
SELECT n.nspname AS schema, c.relname AS parent, p.polname AS name,
       pg_catalog.jsonb_build_object(
         'command', p.polcmd::text, 'permissive', p.polpermissive,
         'roles', (SELECT pg_catalog.string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ', ' ORDER BY CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END COLLATE "C") FROM pg_catalog.unnest(p.polroles) r),
         'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
       ) AS facts
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[])
