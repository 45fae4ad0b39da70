CREATE TABLE public.scratch (id int);
DROP TABLE public.scratch;
DROP TABLE IF EXISTS public.notes CASCADE;
