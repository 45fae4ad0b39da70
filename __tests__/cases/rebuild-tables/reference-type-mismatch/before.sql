CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE TABLE users (id uuid PRIMARY KEY);
