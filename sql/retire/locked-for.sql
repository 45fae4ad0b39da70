-- milliseconds since this session's last move asked for its lock (an upper bound: the answer's way to us is in it); locks nothing
SELECT round(extract(epoch FROM clock_timestamp() - current_setting('lossless.locked_at')::timestamptz) * 1000)::int AS ms
