-- empties one of our own tables; ACCESS EXCLUSIVE on it
TRUNCATE :"table"
