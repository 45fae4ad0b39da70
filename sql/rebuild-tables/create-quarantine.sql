-- creates the table for rows that cannot follow, whole and in their old types; locks nothing of the application but ACCESS SHARE
CREATE TABLE :"quarantine" (LIKE :"table");
ALTER TABLE :"quarantine" ADD COLUMN lossless_reason text NOT NULL, ADD COLUMN lossless_at timestamptz NOT NULL DEFAULT pg_catalog.now();
ALTER TABLE :"quarantine" ADD PRIMARY KEY (:{key});
COMMENT ON TABLE :"quarantine" IS :'about'
