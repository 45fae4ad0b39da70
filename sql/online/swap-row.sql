-- whether the swap of a step happened, was given up, or neither; locks nothing
SELECT state, xid::text AS xid, at::text AS at, (extract(epoch FROM (at - began)) * 1000)::float8 AS ms FROM lossless.swap WHERE run = $1 AND step = $2 AND direction = $3
