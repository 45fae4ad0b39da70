-- whether maintenance mode is on because of this run; written before the command runs
UPDATE lossless.run SET maintenance_on = $2 WHERE id = $1
