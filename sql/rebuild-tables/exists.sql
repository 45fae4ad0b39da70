-- which of the given relations exist; locks nothing
SELECT n AS name FROM unnest($1::text[]) n WHERE to_regclass(n) IS NOT NULL
