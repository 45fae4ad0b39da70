UPDATE public.notes SET title = upper(title);
