INSERT INTO public.notes (id) VALUES (1);
COMMIT;
INSERT INTO public.notes (id) VALUES (2);
