-- puts every key of the source into its change log: the copy is a drain of all keys; ACCESS SHARE on the source
INSERT INTO :"log" (:{k}, op) SELECT :{columns}, 'U' FROM ONLY :"from" WHERE NOT (:{keyless})
