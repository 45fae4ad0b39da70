INSERT INTO public.old_notes SELECT * FROM public.archived_notes;
