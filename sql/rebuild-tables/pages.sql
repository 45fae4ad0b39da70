-- pages of a table and the file they are in; locks nothing
SELECT pg_relation_size(c.oid) / current_setting('block_size')::int AS pages, pg_relation_filenode(c.oid)::int8 AS filenode, greatest(c.reltuples, 0)::int8 AS estimate FROM pg_class c WHERE c.oid = to_regclass(:'table')
