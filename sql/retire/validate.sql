-- validates a foreign key made again; SHARE UPDATE EXCLUSIVE on the table, ROW SHARE on the parent
ALTER TABLE :"table" VALIDATE CONSTRAINT :"key"
