-- how many large objects there are; locks nothing
SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_largeobject_metadata
