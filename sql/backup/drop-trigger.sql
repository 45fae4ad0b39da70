-- drops a trigger of ours in a clone; ACCESS EXCLUSIVE on the table
DROP TRIGGER IF EXISTS :"trigger" ON :"table"
