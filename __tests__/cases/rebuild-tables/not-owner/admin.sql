ALTER TABLE public.notes OWNER TO postgres;
GRANT ALL ON public.notes TO app;
