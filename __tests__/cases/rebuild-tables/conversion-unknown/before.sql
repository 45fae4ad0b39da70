CREATE TABLE notes (id int PRIMARY KEY, title text, at date);
