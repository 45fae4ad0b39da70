-- keeps the rows of a range of pages that do not fit; ACCESS SHARE on the table
INSERT INTO :"quarantine" SELECT o.*, :{reason} FROM ONLY :"table" o WHERE o.ctid >= $1::text::tid AND o.ctid < $2::text::tid AND NOT :{fit} ON CONFLICT DO NOTHING
