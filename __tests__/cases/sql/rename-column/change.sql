ALTER TABLE public.notes RENAME COLUMN title TO heading;
