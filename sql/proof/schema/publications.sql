-- publications that publish a table of the schemas ($1), each with those tables; locks nothing
SELECT '' AS schema, NULL AS parent, p.pubname AS name,
       pg_catalog.jsonb_build_object(
         'tables', CASE WHEN p.puballtables THEN 'all' ELSE pg_catalog.string_agg(pg_catalog.format('%I.%I', t.schemaname, t.tablename), ', ' ORDER BY t.schemaname::text COLLATE "C", t.tablename::text COLLATE "C") END,
         'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate, 'via-root', p.pubviaroot
       ) AS facts
FROM pg_catalog.pg_publication p
JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname AND t.schemaname = ANY ($1::text[])
GROUP BY p.oid, p.pubname, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot
