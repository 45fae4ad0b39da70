CREATE TABLE notes (id text);
