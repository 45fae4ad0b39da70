DELETE FROM public.old_notes WHERE archived;
