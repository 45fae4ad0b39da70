-- schemas of ours that a dump brought into a clone; locks nothing
SELECT n.nspname AS schema FROM pg_catalog.pg_namespace n WHERE n.nspname = 'lossless' OR n.nspname ~ '^lossless_(new|old)_' ORDER BY 1
