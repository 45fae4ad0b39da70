-- keys of one table that another has too, compared as text; locks ACCESS SHARE on both
SELECT :'key'::text AS key, count(*) AS n FROM :"from" c WHERE EXISTS (SELECT FROM :"into" p WHERE :{same})
