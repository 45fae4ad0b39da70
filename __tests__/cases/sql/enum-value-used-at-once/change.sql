ALTER TYPE public.mood ADD VALUE 'calm';
UPDATE public.notes SET mood = 'calm' WHERE mood IS NULL;
