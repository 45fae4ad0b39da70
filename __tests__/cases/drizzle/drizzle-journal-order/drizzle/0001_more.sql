ALTER TABLE "notes" ADD COLUMN "more" text;
