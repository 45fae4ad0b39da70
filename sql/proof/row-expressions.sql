-- per relation, its columns in name order as the text of a row that hashes equal only when the server would print equal rows; locks nothing
-- A type is hashed as it is only where equal means printed alike. Not so: numeric (1.0 = 1.00), float (-0 = 0), interval (1 day = 24 hours), enums (hashed by oid, which differs in a
-- restored database), arrays, json and everything of extensions: their text. bpchar's cast to text strips blanks, so its output function; money prints by locale, so its bytes.
WITH wanted AS (
  SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, position)
), columns AS (
  SELECT w.position, a.attname, b.oid AS base
  FROM wanted w
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  CROSS JOIN LATERAL (
    WITH RECURSIVE base(oid, typtype, next) AS (
      SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
      UNION ALL
      SELECT t.oid, t.typtype, t.typbasetype FROM base JOIN pg_catalog.pg_type t ON t.oid = base.next WHERE base.typtype = 'd'
    )
    SELECT base.oid FROM base WHERE base.typtype <> 'd'
  ) b
)
SELECT w.schema, w.name, c.oid IS NOT NULL AS found, coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes,
       (SELECT pg_catalog.string_agg(
                 CASE
                   WHEN k.base IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype, 'bytea'::regtype, 'date'::regtype, 'timestamp'::regtype,
                                   'timestamptz'::regtype, 'time'::regtype, 'timetz'::regtype) THEN pg_catalog.format('t.%I', k.attname)
                   WHEN k.base = 'bpchar'::regtype THEN pg_catalog.format('pg_catalog.bpcharout(t.%I)::pg_catalog.text COLLATE pg_catalog."C"', k.attname)
                   WHEN k.base = 'money'::regtype THEN pg_catalog.format('pg_catalog.cash_send(t.%I)', k.attname)
                   ELSE pg_catalog.format('t.%I::pg_catalog.text COLLATE pg_catalog."C"', k.attname)
                 END, ', ' ORDER BY k.attname::text COLLATE "C")
        FROM columns k WHERE k.position = w.position) AS expressions
FROM wanted w
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'm')
ORDER BY w.position
