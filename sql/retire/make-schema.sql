-- the schema that keeps what a run retires; locks only its own catalog rows
CREATE SCHEMA IF NOT EXISTS :"schema";
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
COMMENT ON SCHEMA :"schema" IS :'comment'
