-- says that a swap will not happen; waits for a swap that is just committing and then changes nothing, so exactly one of the two is true
INSERT INTO lossless.swap (run, step, direction, state) VALUES ($1, $2, $3, 'given-up') ON CONFLICT (run, step, direction) DO NOTHING
