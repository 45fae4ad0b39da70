-- creates the change log of one table: keys only, logged (a crash must not empty it), no key and no sequence of its own; locks nothing of the application
CREATE TABLE IF NOT EXISTS :"log" (:{columns}, op "char" NOT NULL);
COMMENT ON TABLE :"log" IS :'about'
