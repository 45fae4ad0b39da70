-- for this transaction: read ranges of pages, not the whole table; locks nothing
SET LOCAL enable_seqscan = off
