-- Removes a marker; ROW EXCLUSIVE on our own table.
DELETE FROM lossless.done WHERE run = $1 AND step = $2 AND what = $3
