-- the foreign keys from the given tables ($1 oids), as they must be made again; locks nothing
SELECT k.conrelid AS oid, k.conname::text AS name, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid,
       obj_description(k.oid, 'pg_constraint') AS comment,
       json_build_object('schema', n.nspname, 'name', c.relname) AS parent, c.oid AS parent_oid,
       has_table_privilege(c.oid, 'REFERENCES') AS referenceable,
       pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') AS lockable
FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.conrelid = ANY ($1::oid[]) AND k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conrelid, k.conname
