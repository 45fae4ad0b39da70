CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id int, response_time_ms int);
INSERT INTO api_usage_metric VALUES ('1', 'nobody', 1);
