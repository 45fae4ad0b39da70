-- body of a DO block: sets aside what a migration created, or brings it back, with its keys and drizzle's ledger rows; ACCESS EXCLUSIVE on the tables and on those their keys tie them to
BEGIN
  PERFORM pg_catalog.set_config('lossless.locked_at', pg_catalog.clock_timestamp()::text, false);
  PERFORM pg_catalog.set_config('lossless.apply', 'on', true);
  LOCK TABLE :{locks} IN ACCESS EXCLUSIVE MODE;
  :{statements};
END
