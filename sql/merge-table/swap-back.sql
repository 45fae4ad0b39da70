-- body of a DO block: under ACCESS EXCLUSIVE the application's last changes go back to the retired source, which returns under its name with its keys; references lead to it again
DECLARE
  v_item record;
  v_stuck bigint;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  LOCK TABLE :{locks} IN ACCESS EXCLUSIVE MODE;
  IF (SELECT c.columns OR c.capture FROM (:{changed}) c) OR EXISTS (SELECT FROM :"log" WHERE op = 'X') THEN
    RAISE EXCEPTION USING ERRCODE = 'LS002', MESSAGE = 'changed';
  END IF;
  IF (SELECT count(*) FROM :"log") > :{most} THEN
    RAISE EXCEPTION USING ERRCODE = 'LS008', MESSAGE = 'backlog';
  END IF;
  PERFORM :"drain"(2147483647);
  SELECT count(*) INTO v_stuck FROM :"merged" WHERE class = 'x';
  IF v_stuck > 0 AND NOT :{accepted} THEN
    RAISE EXCEPTION USING ERRCODE = 'LS004', MESSAGE = v_stuck::text;
  END IF;
  SET CONSTRAINTS ALL IMMEDIATE;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{drops}) AS x(schema text, "table" text, name text) LOOP
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT IF EXISTS %I', v_item.schema, v_item."table", v_item.name);
  END LOOP;
  :{untrigger};
  ALTER TABLE :"retired" SET SCHEMA :"schema";
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{statistics}) AS y(schema text, name text) LOOP
    EXECUTE format('ALTER STATISTICS %I.%I SET SCHEMA %I', :'home', v_item.name, v_item.schema);
  END LOOP;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{adds}) AS x(schema text, "table" text, name text, definition text, comment text) LOOP
    EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', v_item.schema, v_item."table", v_item.name, v_item.definition);
    IF v_item.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', v_item.name, v_item.schema, v_item."table", v_item.comment);
    END IF;
  END LOOP;
  :{leave};
END
