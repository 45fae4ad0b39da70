-- Fires what the author's SQL deferred, then takes role, search path and row security back into our hands; locks what deferred triggers lock.
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL ROLE NONE;
SET LOCAL search_path = pg_catalog;
SET LOCAL row_security = off
