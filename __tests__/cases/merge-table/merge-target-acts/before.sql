CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER stamped BEFORE INSERT ON usage_metric FOR EACH ROW EXECUTE FUNCTION stamp();
