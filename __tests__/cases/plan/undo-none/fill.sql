INSERT INTO public.notes (id) VALUES (1);
