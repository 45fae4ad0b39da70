-- moves rows without a parent into quarantine in their old form and locks them, so that nobody can attach children; FOR UPDATE on those rows
WITH RECURSIVE :{sources}
INSERT INTO :"quarantine" (:{columns}, lossless_reason)
SELECT :{values}, b.reason FROM :{orphans} b JOIN ONLY :"new" n ON :{own} LEFT JOIN ONLY :"old" o ON :{was}
WHERE NOT EXISTS (SELECT FROM :"quarantine" q WHERE :{there}) FOR UPDATE OF n
