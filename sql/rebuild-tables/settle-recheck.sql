-- takes rows out of quarantine again whose parent appeared meanwhile; locks nothing of the application
WITH RECURSIVE :{sources}
DELETE FROM :"quarantine" q WHERE q.lossless_at = now() AND NOT EXISTS (SELECT FROM :{orphans} b, LATERAL (SELECT :{key}) n WHERE :{there})
