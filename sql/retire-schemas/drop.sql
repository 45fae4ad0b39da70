-- drops retired schemas with everything in them; ACCESS EXCLUSIVE on each table; the caller has proved in this transaction that nothing outside depends on them
DROP SCHEMA :{schemas} CASCADE
