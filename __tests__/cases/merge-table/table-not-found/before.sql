CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int);
