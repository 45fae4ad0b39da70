DROP TYPE public.mood CASCADE;
DROP VIEW public.recent_notes CASCADE;
