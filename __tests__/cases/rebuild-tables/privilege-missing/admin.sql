ALTER DATABASE "rebuild-tables privilege-missing" OWNER TO postgres;
ALTER SCHEMA public OWNER TO postgres;
REVOKE CREATE ON SCHEMA public FROM public;
