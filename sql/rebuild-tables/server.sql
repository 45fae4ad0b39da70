-- privileges and neighbours that decide whether a rebuild may start; locks nothing
SELECT has_database_privilege(current_database(), 'CREATE') AS "mayCreate",
  (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS "prepared",
  (SELECT coalesce(json_agg(DISTINCT a.pid), '[]') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.state IS NOT NULL AND a.xact_start < now() - interval '5 minutes') AS "long",
  (SELECT coalesce(json_agg(DISTINCT a.pid), '[]') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name ILIKE '%pg_dump%') AS "dumps",
  -- what an autovacuum does is hidden from ordinary roles; the lock of a vacuum and the age that makes it one against wraparound are not
  (SELECT coalesce(json_agg(DISTINCT n.nspname || '.' || c.relname), '[]') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid() AND c.relkind = 'r'
      AND (age(c.relfrozenxid) > least(current_setting('autovacuum_freeze_max_age')::int, (SELECT o.option_value::int FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'autovacuum_freeze_max_age'))
        OR mxid_age(c.relminmxid) > least(current_setting('autovacuum_multixact_freeze_max_age')::int, (SELECT o.option_value::int FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'autovacuum_multixact_freeze_max_age')))) AS "wraparound",
  (SELECT coalesce(json_agg(s.slot_name), '[]') FROM pg_replication_slots s WHERE s.slot_type = 'logical' AND s.database = current_database()) AS "slots"
