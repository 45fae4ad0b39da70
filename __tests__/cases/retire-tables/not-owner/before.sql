CREATE TABLE old_notes (id int);
