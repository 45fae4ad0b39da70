CREATE INDEX notes_title ON public.notes (title);
