-- body of a DO block: takes the fences off, gives the schemas their names and comments back and makes the foreign keys again, NOT VALID
DECLARE
  v_item record;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  :{lock};
  :{unfence};
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{schemas}) AS x(schema text, home text, comment text) LOOP
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', v_item.home, v_item.schema);
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', v_item.schema, v_item.comment);
  END LOOP;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{keys}) AS y(schema text, "table" text, name text, definition text, comment text) LOOP
    EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', v_item.schema, v_item."table", v_item.name, v_item.definition);
    IF v_item.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', v_item.name, v_item.schema, v_item."table", v_item.comment);
    END IF;
  END LOOP;
END
