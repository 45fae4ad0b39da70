-- Creates drizzle's ledger as drizzle-orm 0.x does; idempotent; locks only the ledger.
CREATE SCHEMA IF NOT EXISTS :"schema";
CREATE TABLE IF NOT EXISTS :"ledger" (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)
