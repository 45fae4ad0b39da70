-- the plan's files of a run; locks nothing
SELECT path, pg_catalog.encode(content, 'base64') AS content FROM lossless.file WHERE run = $1 ORDER BY path
