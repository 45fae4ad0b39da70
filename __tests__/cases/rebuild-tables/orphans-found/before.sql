CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
INSERT INTO notes VALUES ('00000000-0000-0000-0000-000000000001', 'a', '1');
CREATE TABLE users (id int PRIMARY KEY);
