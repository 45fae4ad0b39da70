-- checks every row of a foreign key that was added NOT VALID; SHARE UPDATE EXCLUSIVE on the child, ROW SHARE on the parent
ALTER TABLE :"child" VALIDATE CONSTRAINT :"name"
