CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE TABLE users (id text PRIMARY KEY, note text REFERENCES notes);
ALTER TABLE notes ADD CONSTRAINT notes_owner FOREIGN KEY (owner) REFERENCES users;
