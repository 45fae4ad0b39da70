CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
CREATE TABLE "notes" ("id" integer PRIMARY KEY);
CREATE TABLE files (id int PRIMARY KEY, note int);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('71af27b7613f30be91633f65ea7d467ac737e9302fcbb1757e1126c0e60d3ba9', 1767312000000);
