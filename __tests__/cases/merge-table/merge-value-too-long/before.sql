CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id varchar(3), response_time_ms int);
INSERT INTO api_usage_metric VALUES ('1', 'abcd', 1), ('2', 'abc', 2);
