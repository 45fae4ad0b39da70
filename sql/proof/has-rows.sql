-- whether the table has a row; ACCESS SHARE
SELECT EXISTS (SELECT FROM ONLY :"table") AS yes
