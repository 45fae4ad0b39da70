CREATE TABLE api_usage_metric (id numeric PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id int PRIMARY KEY, user_id text, response_time_ms int);
INSERT INTO api_usage_metric VALUES (1.2), (1.4), (2);
