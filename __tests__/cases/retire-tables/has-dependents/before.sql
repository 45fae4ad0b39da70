CREATE TABLE old_notes (id int PRIMARY KEY, title text);
CREATE VIEW titles AS SELECT title FROM old_notes;
