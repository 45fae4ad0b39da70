-- whether the mapped expressions exist and fit the columns by assignment; plans only, ACCESS SHARE and ROW EXCLUSIVE for the planning
EXPLAIN INSERT INTO :"into" (:{targets}) OVERRIDING SYSTEM VALUE SELECT :{expressions} FROM ONLY :"from"
