-- one value of a column, to see what its texts look like; it never leaves the process; locks nothing
SELECT t.:"column"::text AS value FROM ONLY :"table" AS t WHERE t.:"column" IS NOT NULL LIMIT 1
