-- removes the rows of a step from the control table; locks nothing of the application
DELETE FROM lossless.swap WHERE run = $1 AND step = $2
