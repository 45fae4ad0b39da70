-- Creates drizzle's ledger as drizzle-orm v1 does; idempotent; locks only the ledger.
CREATE SCHEMA IF NOT EXISTS :"schema";
CREATE TABLE IF NOT EXISTS :"ledger" (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint, name text, applied_at timestamptz DEFAULT pg_catalog.now())
