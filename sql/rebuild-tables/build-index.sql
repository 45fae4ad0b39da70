-- builds one index of a shadow; SHARE on it. One process per index: several indexes at a time are faster than several processes for one
SET max_parallel_maintenance_workers = 0;
:{create}
