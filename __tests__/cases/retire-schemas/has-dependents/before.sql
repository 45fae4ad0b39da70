CREATE SCHEMA auth;
CREATE FUNCTION auth.me() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE notes (id int, owner int DEFAULT auth.me());
