CREATE TABLE old_notes (id int);
CREATE TABLE old_files (id int);
INSERT INTO old_files SELECT generate_series(1, 3);
