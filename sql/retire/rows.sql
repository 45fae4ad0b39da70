-- exact rows of a table without counting as a use of it: a sample of everything bumps no scan counter (initscan in heapam.c counts sequential scans only); ACCESS SHARE
SELECT count(*) AS rows FROM ONLY :"table" TABLESAMPLE SYSTEM (100)
