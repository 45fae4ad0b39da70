CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE INDEX notes_title ON notes (title);
