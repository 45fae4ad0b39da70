CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int);
