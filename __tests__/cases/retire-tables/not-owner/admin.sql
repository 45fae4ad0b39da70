ALTER TABLE public.old_notes OWNER TO postgres;
GRANT SELECT ON public.old_notes TO app;
