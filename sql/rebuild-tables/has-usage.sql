-- whether scans are booked in this database; locks nothing
SELECT to_regclass('lossless.scans') IS NOT NULL AS booked
