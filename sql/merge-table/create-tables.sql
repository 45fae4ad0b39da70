-- creates the table that keeps which keys were merged and how, the one that holds a batch while it is judged, and the quarantine; locks nothing of the application but ACCESS SHARE
CREATE TABLE IF NOT EXISTS :"merged" (:{keys}, class "char" NOT NULL, h_src bigint NOT NULL, h_all bigint, h_rest bigint, PRIMARY KEY (:{s}), UNIQUE (:{k}));
COMMENT ON TABLE :"merged" IS :'about_merged';
CREATE UNLOGGED TABLE IF NOT EXISTS :"stage" (:{stage}, PRIMARY KEY (:{s}));
COMMENT ON TABLE :"stage" IS :'about_stage';
CREATE TABLE IF NOT EXISTS :"quarantine" (LIKE :"from", lossless_reason text NOT NULL, lossless_at timestamptz NOT NULL DEFAULT pg_catalog.now());
COMMENT ON TABLE :"quarantine" IS :'about_quarantine'
