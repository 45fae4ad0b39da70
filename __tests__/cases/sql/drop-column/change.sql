ALTER TABLE public.notes
  DROP COLUMN title;
