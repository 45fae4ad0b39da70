WITH gone AS (DELETE FROM public.notes RETURNING id)
SELECT count(*) FROM gone;
