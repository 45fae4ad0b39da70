-- Whether the table of markers exists; locks nothing.
SELECT pg_catalog.to_regclass('lossless.done') IS NOT NULL AS found
