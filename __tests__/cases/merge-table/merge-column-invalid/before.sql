CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int, provider text NOT NULL, total int GENERATED ALWAYS AS (response_time_ms * 2) STORED);
