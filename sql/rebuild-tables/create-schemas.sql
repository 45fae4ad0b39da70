-- creates the schemas of a run for what is being built and for what is retired; locks nothing of the application
CREATE SCHEMA IF NOT EXISTS :"new";
COMMENT ON SCHEMA :"new" IS :'new_about';
CREATE SCHEMA IF NOT EXISTS :"old";
COMMENT ON SCHEMA :"old" IS :'old_about'
