-- the server's clock in ms since 1970; locks nothing
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now
