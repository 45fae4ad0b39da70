-- drops a schema of a clone with everything in it; ACCESS EXCLUSIVE on its objects
DROP SCHEMA IF EXISTS :"schema" CASCADE
