-- the same row by row, when the one pass failed: keys that cannot be converted, as text, into the session setting lossless.judged; ACCESS SHARE
DO $lossless$
#variable_conflict use_column
DECLARE
  o :"table";
  :{variables}
  keys text[] := '{}';
  bad_keys text[] := '{}';
  n bigint := 0;
  n_keys bigint := 0;
BEGIN
  FOR o IN SELECT * FROM ONLY :"table" LOOP
    BEGIN
      :{key_conversions}
    EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
      n_keys := n_keys + 1;
      IF n_keys <= 100 THEN bad_keys := bad_keys || ROW(:{key})::text; END IF;
      CONTINUE;
    END;
    BEGIN
      :{conversions}
      IF :{empty} THEN RAISE not_null_violation; END IF;
    EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
      n := n + 1;
      IF n <= 10000 THEN keys := keys || ROW(:{key})::text; END IF;
    END;
  END LOOP;
  PERFORM set_config('lossless.judged', json_build_object('unfit', n, 'unfitKeys', keys, 'broken', n_keys, 'brokenKeys', bad_keys)::text, false);
END
$lossless$
