-- body of a DO block: proves under ACCESS EXCLUSIVE that the tables are as they were read, drops the foreign keys from them, moves them out and fences them
DECLARE
  v_table record;
  v_item record;
  v_full boolean;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  LOCK TABLE :{locks} IN ACCESS EXCLUSIVE MODE;
  FOR v_table IN SELECT * FROM jsonb_to_recordset(:{tables}) AS x(oid oid, schema text, name text, keys jsonb) LOOP
    IF to_regclass(format('%I.%I', v_table.schema, v_table.name)) IS DISTINCT FROM v_table.oid::regclass
       OR v_table.keys <> (SELECT coalesce(jsonb_object_agg(c.conname, pg_get_constraintdef(c.oid)), '{}') FROM pg_constraint c WHERE c.conrelid = v_table.oid AND c.contype = 'f' AND c.conparentid = 0) THEN
      RAISE EXCEPTION USING ERRCODE = 'LS002', MESSAGE = format('%I.%I', v_table.schema, v_table.name);
    END IF;
    IF :{only_empty} THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %I.%I)', v_table.schema, v_table.name) INTO v_full;
      IF v_full THEN RAISE EXCEPTION USING ERRCODE = 'LS001', MESSAGE = format('%I.%I', v_table.schema, v_table.name); END IF;
    END IF;
  END LOOP;
  FOR v_item IN SELECT d.kind, d.identity, d.schema FROM (:{dependents}) d WHERE d.schema IS NULL OR d.schema !~ '^lossless(_new_|_old_|$)' LOOP
    RAISE EXCEPTION USING ERRCODE = 'LS003', MESSAGE = format('%s %s', v_item.kind, v_item.identity);
  END LOOP;
  FOR v_item IN SELECT x.schema, x.name, j.key FROM jsonb_to_recordset(:{tables}) AS x(oid oid, schema text, name text, keys jsonb), jsonb_object_keys(x.keys) j(key) LOOP
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', v_item.schema, v_item.name, v_item.key);
  END LOOP;
  FOR v_table IN SELECT * FROM jsonb_to_recordset(:{tables}) AS x(schema text, name text, home text, statistics jsonb) LOOP
    EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', v_table.schema, v_table.name, v_table.home);
    FOR v_item IN SELECT * FROM jsonb_to_recordset(v_table.statistics) AS y(schema text, name text) LOOP
      EXECUTE format('ALTER STATISTICS %I.%I SET SCHEMA %I', v_item.schema, v_item.name, v_table.home);
    END LOOP;
  END LOOP;
  :{fences};
END
