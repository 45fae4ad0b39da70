TRUNCATE public.notes, public.files CASCADE;
