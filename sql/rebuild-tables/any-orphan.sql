-- whether any row has no parent for one foreign key; ACCESS SHARE
SELECT EXISTS (SELECT FROM ONLY :"child" o WHERE :{given} AND NOT EXISTS (SELECT FROM ONLY :"parent" p WHERE :{match})) AS found
