-- the file of a table as this transaction will read it; locks nothing
SELECT pg_relation_filenode(to_regclass(:'table'))::int8 AS filenode
