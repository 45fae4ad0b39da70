-- lets a sequence of the target pass the greatest merged key, so that the application's next key is free; never steps back
SELECT setval(:'sequence'::regclass, greatest((SELECT last_value FROM :{sequence}), (SELECT max(:"column")::bigint FROM ONLY :"from"))) WHERE (SELECT max(:"column") FROM ONLY :"from") > (SELECT last_value FROM :{sequence})
