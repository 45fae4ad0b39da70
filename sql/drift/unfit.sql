-- values that are not NULL and do not fit another type; locks ACCESS SHARE
SELECT :'key'::text AS key, count(*) AS n FROM :"table" c WHERE :{value} IS NOT NULL AND NOT :{fits}
