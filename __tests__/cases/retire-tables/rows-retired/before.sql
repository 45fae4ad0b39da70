CREATE TABLE old_notes (id int);
INSERT INTO old_notes SELECT generate_series(1, 3);
