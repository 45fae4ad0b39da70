CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
CREATE TABLE "notes" ("id" integer PRIMARY KEY);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('fcd92fcc536231057dd2388f9e915a59fa1a7ce34222852df78711e9722393dc', 1767225600000);
CREATE TABLE "files" ("id" integer PRIMARY KEY, "note" integer);
--> statement-breakpoint
ALTER TABLE "files" ADD CONSTRAINT "files_note" FOREIGN KEY ("note") REFERENCES "public"."notes"("id");
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('71af27b7613f30be91633f65ea7d467ac737e9302fcbb1757e1126c0e60d3ba9', 1767312000000);
