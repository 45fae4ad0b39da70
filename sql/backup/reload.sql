-- has the private server read its settings again
SELECT pg_catalog.pg_reload_conf() AS reloaded
