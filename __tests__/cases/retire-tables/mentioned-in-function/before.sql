CREATE TABLE old_notes (id int);
CREATE FUNCTION notes() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM old_notes); END $$;
