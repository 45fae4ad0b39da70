-- privileges and neighbours that decide whether a rebuild may start; locks nothing
SELECT has_database_privilege(current_database(), 'CREATE') AS "mayCreate",
  (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS "prepared",
  (SELECT coalesce(json_agg(DISTINCT a.pid), '[]') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.state IS NOT NULL AND a.xact_start < now() - interval '5 minutes') AS "long",
  (SELECT coalesce(json_agg(DISTINCT a.pid), '[]') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name ILIKE '%pg_dump%') AS "dumps",
  (SELECT coalesce(json_agg(a.query), '[]') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'autovacuum worker' AND a.query LIKE '%to prevent wraparound%') AS "wraparound",
  (SELECT coalesce(json_agg(s.slot_name), '[]') FROM pg_replication_slots s WHERE s.slot_type = 'logical' AND s.database = current_database()) AS "slots"
