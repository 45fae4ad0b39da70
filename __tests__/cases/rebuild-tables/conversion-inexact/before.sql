CREATE TABLE notes (id int PRIMARY KEY, price numeric);
INSERT INTO notes VALUES (1, 1), (2, 2.5), (3, 3.5);
