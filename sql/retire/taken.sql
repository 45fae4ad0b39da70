-- names in a schema ($1) that the given relations, their indexes, sequences, row types or statistics ($2 oids) would meet there; locks nothing
SELECT x.name FROM (
  SELECT c.relname AS name FROM pg_class c WHERE c.oid = ANY ($2::oid[])
  UNION SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = ANY ($2::oid[])
  UNION SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($2::oid[]) AND d.deptype IN ('a', 'i')
  UNION SELECT t.typname FROM pg_class c JOIN pg_type r ON r.oid = c.reltype JOIN pg_type t ON t.oid IN (r.oid, r.typarray) WHERE c.oid = ANY ($2::oid[])
) x
WHERE EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = x.name AND c.oid <> ALL ($2::oid[]))
   OR EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = x.name AND t.typrelid <> ALL ($2::oid[]) AND t.typelem NOT IN (SELECT reltype FROM pg_class WHERE oid = ANY ($2::oid[])))
ORDER BY 1
