CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE TABLE files (id int PRIMARY KEY, note text REFERENCES notes);
