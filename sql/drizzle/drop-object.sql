-- Drops a view, function, sequence or type kept by a rollback; fails when something outside depends on it.
DROP :{kind} IF EXISTS :{identity} RESTRICT
