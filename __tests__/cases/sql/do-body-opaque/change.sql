DO $$ BEGIN EXECUTE 'DROP ' || 'TABLE public.notes'; END $$;
