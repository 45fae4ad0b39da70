CREATE SCHEMA auth;
CREATE TABLE auth.users (id int PRIMARY KEY);
CREATE TABLE notes (id int, owner int REFERENCES auth.users);
