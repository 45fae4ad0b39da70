ALTER TABLE public.notes ALTER COLUMN id TYPE uuid USING id::uuid;
