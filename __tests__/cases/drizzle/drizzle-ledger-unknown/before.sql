CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
CREATE TABLE "notes" ("id" integer PRIMARY KEY);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('fcd92fcc536231057dd2388f9e915a59fa1a7ce34222852df78711e9722393dc', 1767225600000);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8', 1767225600001);
