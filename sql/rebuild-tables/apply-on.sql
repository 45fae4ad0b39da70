-- for the rest of the transaction: fences let us pass, captures log nothing
SELECT set_config('lossless.apply', 'on', true)
