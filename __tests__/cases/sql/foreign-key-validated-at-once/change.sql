ALTER TABLE public.notes ADD CONSTRAINT notes_owner FOREIGN KEY (owner) REFERENCES public.users (id);
