-- the schema of our own functions and tables; locks nothing of the user's
CREATE SCHEMA IF NOT EXISTS lossless
