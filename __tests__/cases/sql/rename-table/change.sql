ALTER TABLE public.notes RENAME TO notes_old;
ALTER TABLE public.notes_new RENAME TO notes;
