-- removes the rows of the table that this transaction put into quarantine; ROW EXCLUSIVE, their row locks are held already
DELETE FROM ONLY :"new" n USING :"quarantine" q WHERE q.lossless_at = now() AND :{there}
