CREATE TABLE notes (id int PRIMARY KEY, no int GENERATED ALWAYS AS IDENTITY, title text, loud text GENERATED ALWAYS AS (upper(title)) STORED);
