CREATE TABLE "files" ("id" integer PRIMARY KEY, "note" integer);
--> statement-breakpoint
ALTER TABLE "files" ADD CONSTRAINT "files_note" FOREIGN KEY ("note") REFERENCES "public"."notes"("id");
