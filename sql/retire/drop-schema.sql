-- drops an empty schema of ours; fails when something is in it
DROP SCHEMA IF EXISTS :"schema" RESTRICT
