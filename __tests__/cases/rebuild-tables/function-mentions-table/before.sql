CREATE TABLE notes (id text PRIMARY KEY, title text, owner text);
CREATE FUNCTION titles() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM public.notes); END $$;
