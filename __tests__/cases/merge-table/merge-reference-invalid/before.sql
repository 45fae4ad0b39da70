CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text UNIQUE, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int);
CREATE TABLE bills (id int PRIMARY KEY, who text REFERENCES api_usage_metric ("userId"));
