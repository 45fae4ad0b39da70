-- whether the control table of swaps exists; locks nothing
SELECT to_regclass('lossless.swap') IS NOT NULL AS found
