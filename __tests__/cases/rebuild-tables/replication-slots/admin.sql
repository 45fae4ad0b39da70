SELECT pg_create_logical_replication_slot('listener', 'pgoutput');
