-- whether a writer's own row is there, and the value it last wrote; locks nothing
SELECT :{value} AS value FROM :"table" AS t WHERE :{own}
