-- copies the rows of a range of pages into the shadow; ACCESS SHARE on the table, ROW EXCLUSIVE on the shadow
INSERT INTO :"shadow" (:{columns}) OVERRIDING SYSTEM VALUE SELECT :{values} FROM ONLY :"table" o WHERE o.ctid >= $1::text::tid AND o.ctid < $2::text::tid AND :{fit}
