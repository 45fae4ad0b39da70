INSERT INTO public.notes (id)
SELECT id FROM public.old_notes
WHERE id NOT IN (SELECT id FROM public.notes);
