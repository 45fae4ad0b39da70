UPDATE public.notes SET title = 'x' WHER id = 1;
