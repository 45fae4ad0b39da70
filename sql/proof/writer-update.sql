-- gives a writer's own row another row's value; ROW EXCLUSIVE
UPDATE :"table" AS t SET :"column" = coalesce((SELECT s.:"column" FROM :"table" AS s WHERE :{template}), t.:"column") WHERE :{own} RETURNING t.:"column"::text AS value
