CREATE TABLE old_notes (id int PRIMARY KEY);
CREATE TABLE comments (id int PRIMARY KEY, note int REFERENCES old_notes);
