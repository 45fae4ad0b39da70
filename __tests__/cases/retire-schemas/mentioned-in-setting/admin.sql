ALTER ROLE app IN DATABASE "retire-schemas mentioned-in-setting" SET search_path = auth, public;
