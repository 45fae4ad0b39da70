CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
CREATE TABLE "notes" ("id" integer PRIMARY KEY);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('c180ac9ad03c86d524a96211353dd541e612b47f0ad9715f50d176392120fe72', 1767225600000);
