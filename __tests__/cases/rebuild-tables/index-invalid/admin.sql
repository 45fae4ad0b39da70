UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.notes_title'::regclass;
