-- whether this database has our journal; locks nothing
SELECT pg_catalog.to_regclass('lossless.run') IS NOT NULL AS found
