UPDATE public.notes SET id = id + 1 WHERE id < 0;
