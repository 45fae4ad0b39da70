-- removes a writer's own row; ROW EXCLUSIVE
DELETE FROM :"table" AS t WHERE :{own} RETURNING 1 AS gone
