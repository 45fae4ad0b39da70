-- the columns of tables ($1 oids) as a merge sees them; `exact`: how a value is compared so that equal means printed alike; locks nothing
SELECT a.attrelid AS oid, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN (SELECT format('%I.%I', n.nspname, c.collname) FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END AS collation,
       a.atthasdef OR a.attidentity <> '' AS filled, a.attgenerated <> '' AS generated, a.attidentity = 'a' AS always,
       CASE WHEN t.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS length,
       CASE WHEN t.oid IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype, 'bytea'::regtype, 'date'::regtype, 'timestamp'::regtype,
                           'timestamptz'::regtype, 'time'::regtype, 'timetz'::regtype) THEN 'plain'
            WHEN t.oid = 'bpchar'::regtype THEN 'bpchar' WHEN t.oid = 'money'::regtype THEN 'money' ELSE 'text' END AS exact,
       CASE WHEN t.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) END AS sequence
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
