-- Whether drizzle's ledger and its schema ($1 schema, $2 table) exist, and whether it has the columns of v1; locks nothing.
SELECT n.oid IS NOT NULL AS schema, c.oid IS NOT NULL AS found,
       EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'name' AND NOT a.attisdropped) AS named
  FROM (SELECT 1) one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1::text
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2::text AND c.relkind = 'r'
