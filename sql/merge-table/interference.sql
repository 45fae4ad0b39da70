-- user triggers and rules of a table ($1) that would act on the rows we put into it; locks nothing
SELECT 'trigger ' || t.tgname AS what FROM pg_trigger t WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname !~ 'lossless_'
UNION ALL SELECT 'rule ' || r.rulename FROM pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_enabled <> 'D'
ORDER BY 1
