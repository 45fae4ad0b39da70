-- forgets that a swap was given up, so that it can be tried again; one that happened stays; locks nothing of the application
DELETE FROM lossless.swap WHERE run = $1 AND step = $2 AND direction = $3 AND state = 'given-up'
