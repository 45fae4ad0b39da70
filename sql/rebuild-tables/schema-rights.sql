-- whether the role may create objects in a schema (a table that moves into it needs that); locks nothing
SELECT has_schema_privilege($1, 'CREATE') AS "mayCreate"
