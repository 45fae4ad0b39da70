CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
INSERT INTO notes VALUES ('00000000-0000-0000-0000-000000000001', 'a', '1');
INSERT INTO notes VALUES ('2', 'b', 'nobody');
