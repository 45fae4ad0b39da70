-- the capture triggers of a table as the catalog has them: DISABLE TRIGGER and a later ENABLE change xmin, so a gap shows; locks nothing
SELECT coalesce(string_agg(t.tgname || ' ' || t.tgenabled::text || ' ' || t.xmin::text, ', ' ORDER BY t.tgname), '') AS state
FROM pg_trigger t WHERE t.tgrelid = to_regclass(:'table') AND t.tgname IN (:'row', :'statement')
