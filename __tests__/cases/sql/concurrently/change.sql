CREATE INDEX CONCURRENTLY notes_title ON public.notes (title);
