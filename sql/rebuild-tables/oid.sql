-- oid of a relation by its quoted name, or null; locks nothing
SELECT to_regclass($1)::oid::int8 AS oid
