CREATE TABLE api_usage_metric (id text PRIMARY KEY, "userId" text, "responseTime" int);
CREATE TABLE usage_metric (id text PRIMARY KEY, user_id text, response_time_ms int);
INSERT INTO usage_metric VALUES ('5', 'e', 5), ('6', 'f', 6), ('7', 'g', 7);
INSERT INTO api_usage_metric VALUES ('1', 'a', 1), ('2', 'b', 2), ('3', 'c', 3), ('4', 'd', 4), ('5', 'e', 5), ('6', 'f', 6), ('7', 'other', 7);
