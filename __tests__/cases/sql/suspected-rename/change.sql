ALTER TABLE public.notes ADD COLUMN heading text;
ALTER TABLE public.notes DROP COLUMN title;
