-- body of a DO block: proves under ACCESS EXCLUSIVE on every table that the schemas are as they were read, drops foreign keys that lead out of them, fences the tables, renames the schemas
DECLARE
  v_schema record;
  v_item record;
BEGIN
  PERFORM set_config('lossless.locked_at', clock_timestamp()::text, false);
  :{lock};
  FOR v_schema IN SELECT * FROM jsonb_to_recordset(:{schemas}) AS x(oid oid, schema text, tables jsonb, keys jsonb) LOOP
    IF to_regnamespace(quote_ident(v_schema.schema)) IS DISTINCT FROM v_schema.oid::regnamespace
       OR v_schema.tables <> (SELECT coalesce(jsonb_agg(c.oid::bigint ORDER BY c.oid), '[]') FROM pg_class c WHERE c.relnamespace = v_schema.oid AND c.relkind IN ('r', 'p'))
       OR v_schema.keys <> (SELECT coalesce(jsonb_object_agg(format('%s %s', k.conrelid, k.conname), pg_get_constraintdef(k.oid)), '{}')
                     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
                     WHERE c.relnamespace = v_schema.oid AND k.contype = 'f' AND k.conparentid = 0 AND p.relnamespace <> ALL (:{oids})) THEN
      RAISE EXCEPTION USING ERRCODE = 'LS002', MESSAGE = quote_ident(v_schema.schema);
    END IF;
  END LOOP;
  FOR v_item IN SELECT d.kind, d.identity FROM (:{dependents}) d WHERE d.schema IS NULL OR d.schema !~ '^lossless(_new_|_old_|$)' LOOP
    RAISE EXCEPTION USING ERRCODE = 'LS003', MESSAGE = format('%s %s', v_item.kind, v_item.identity);
  END LOOP;
  FOR v_item IN SELECT * FROM jsonb_to_recordset(:{keys}) AS x(schema text, "table" text, name text) LOOP
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', v_item.schema, v_item."table", v_item.name);
  END LOOP;
  :{fences};
  FOR v_schema IN SELECT * FROM jsonb_to_recordset(:{schemas}) AS x(schema text, home text, about text) LOOP
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', v_schema.schema, v_schema.home);
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', v_schema.home, v_schema.about);
  END LOOP;
END
