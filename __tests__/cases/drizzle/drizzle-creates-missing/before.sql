CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
CREATE TABLE "notes" ("id" integer PRIMARY KEY);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('fcd92fcc536231057dd2388f9e915a59fa1a7ce34222852df78711e9722393dc', 1767225600000);
