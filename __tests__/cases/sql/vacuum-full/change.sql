VACUUM FULL public.notes;
