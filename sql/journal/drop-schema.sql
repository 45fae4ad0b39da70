-- drops an empty schema of ours (no CASCADE)
DROP SCHEMA :"schema"
