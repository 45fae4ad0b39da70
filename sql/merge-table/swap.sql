-- body of a DO block: under ACCESS EXCLUSIVE the rest of the log is carried, every row is accounted for, references are repointed, the source is retired and fenced, and the target is watched
DECLARE
  v_item record;
  v_keyless bigint;
  v_conflicts bigint;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  LOCK TABLE :{locks} IN ACCESS EXCLUSIVE MODE;
  IF to_regclass(:'from') IS DISTINCT FROM :{from_oid}::oid::regclass OR to_regclass(:'into') IS DISTINCT FROM :{into_oid}::oid::regclass
     OR :'shape' <> (:{shape}) THEN
    RAISE EXCEPTION USING ERRCODE = 'LS002', MESSAGE = 'changed';
  END IF;
  IF (:{capture_state}) <> :'captured' THEN
    RAISE EXCEPTION USING ERRCODE = 'LS007', MESSAGE = 'capture';
  END IF;
  FOR v_item IN SELECT d.kind, d.identity FROM (:{dependents}) d WHERE (d.schema IS NULL OR d.schema !~ '^lossless(_new_|_old_|$)') AND d.kind <> 'foreign key' LOOP
    RAISE EXCEPTION USING ERRCODE = 'LS003', MESSAGE = format('%s %s', v_item.kind, v_item.identity);
  END LOOP;
  IF (SELECT count(*) FROM :"log") > :{most} THEN
    RAISE EXCEPTION USING ERRCODE = 'LS008', MESSAGE = 'backlog';
  END IF;
  PERFORM :"drain"(2147483647);
  IF EXISTS (SELECT FROM :"log") THEN
    RAISE EXCEPTION USING ERRCODE = 'LS007', MESSAGE = 'log';
  END IF;
  SET CONSTRAINTS ALL IMMEDIATE;
  SELECT count(*) INTO v_keyless FROM ONLY :"from" f WHERE :{keyless};
  SELECT count(*) + v_keyless INTO v_conflicts FROM :"merged" m WHERE m.class = 'c';
  IF v_conflicts > :{allowed} THEN
    RAISE EXCEPTION USING ERRCODE = 'LS004', MESSAGE = v_conflicts::text;
  END IF;
  IF :{count} AND (SELECT count(*) FROM ONLY :"from") <> (SELECT count(*) FROM :"merged") + v_keyless THEN
    RAISE EXCEPTION USING ERRCODE = 'LS006', MESSAGE = format('%s rows, %s accounted for', (SELECT count(*) FROM ONLY :"from"), (SELECT count(*) + v_keyless FROM :"merged"));
  END IF;
  INSERT INTO :"quarantine" SELECT f.*, CASE WHEN :{keyless} THEN 'no key' ELSE 'conflict' END FROM ONLY :"from" f
    WHERE :{keyless} OR EXISTS (SELECT FROM :"merged" m WHERE :{match_fm} AND m.class = 'c');
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{drops}) AS x(schema text, "table" text, name text) LOOP
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', v_item.schema, v_item."table", v_item.name);
  END LOOP;
  :{uncapture};
  ALTER TABLE :"from" SET SCHEMA :"home";
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{statistics}) AS y(schema text, name text) LOOP
    EXECUTE format('ALTER STATISTICS %I.%I SET SCHEMA %I', v_item.schema, v_item.name, :'home');
  END LOOP;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{adds}) AS x(schema text, "table" text, name text, definition text, comment text) LOOP
    EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', v_item.schema, v_item."table", v_item.name, v_item.definition);
    IF v_item.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', v_item.name, v_item.schema, v_item."table", v_item.comment);
    END IF;
  END LOOP;
  :{triggers};
END
