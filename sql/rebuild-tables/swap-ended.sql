-- how long a swap kept writers out at most: from its first lock request to the moment after its COMMIT; locks nothing
SELECT (extract(epoch FROM (current_setting('lossless.swap_ended')::timestamptz - s.began)) * 1000)::float8 AS ms FROM lossless.swap s WHERE s.run = $1 AND s.step = $2 AND s.direction = $3
