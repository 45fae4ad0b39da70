-- the body of a swap: everything from the first lock that stops writers to the row that says it happened; ACCESS EXCLUSIVE on the group and on tables whose foreign keys are replaced, SHARE ROW EXCLUSIVE on other parents
DO :{tag}
DECLARE
  began timestamptz := clock_timestamp();
  waiting bigint;
  found text;
BEGIN
  :{locks}
  :{checks}
  :{drains}
  :{after_drain}
  SET CONSTRAINTS ALL IMMEDIATE;
  :{acts}
  :{record}
END
:{tag}
