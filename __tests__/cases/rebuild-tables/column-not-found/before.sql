CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
