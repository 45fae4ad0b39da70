-- writes a step of a run down
INSERT INTO lossless.step (run, no, id, kind, database, spec, state, holds) VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7)
