CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE INDEX notes_owner ON notes (lower(owner));
CREATE INDEX notes_mine ON notes (title) WHERE owner = '1';
