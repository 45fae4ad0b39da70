-- drops retired tables in one statement; ACCESS EXCLUSIVE on them; fails when something outside depends on them
DROP TABLE :{tables} RESTRICT
