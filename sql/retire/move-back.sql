-- body of a DO block: takes the fences off retired tables, moves them back under their names and makes their foreign keys again, NOT VALID
DECLARE
  v_table record;
  v_item record;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  LOCK TABLE :{locks} IN ACCESS EXCLUSIVE MODE;
  :{unfence};
  FOR v_table IN SELECT * FROM jsonb_to_recordset(:{tables}) AS x(schema text, name text, home text, statistics jsonb) LOOP
    EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', v_table.home, v_table.name, v_table.schema);
    FOR v_item IN SELECT * FROM jsonb_to_recordset(v_table.statistics) AS y(schema text, name text) LOOP
      EXECUTE format('ALTER STATISTICS %I.%I SET SCHEMA %I', v_table.home, v_item.name, v_item.schema);
    END LOOP;
  END LOOP;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{keys}) AS y(schema text, "table" text, name text, definition text, comment text) LOOP
    EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', v_item.schema, v_item."table", v_item.name, v_item.definition);
    IF v_item.comment IS NOT NULL THEN
      EXECUTE format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', v_item.name, v_item.schema, v_item."table", v_item.comment);
    END IF;
  END LOOP;
END
