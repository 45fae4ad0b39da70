CREATE TABLE public."bazaar-vid_user" (id varchar(255) PRIMARY KEY);
CREATE TABLE public."bazaar-vid_api_usage_metric" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), provider varchar(50) NOT NULL, model varchar(100) NOT NULL, user_id varchar(255) CONSTRAINT metric_user_fk REFERENCES public."bazaar-vid_user" (id) ON DELETE CASCADE,
  project_id uuid, tool_name varchar(100), success boolean NOT NULL, response_time_ms integer NOT NULL, input_tokens integer, output_tokens integer, total_tokens integer, error_message text,
  metadata jsonb, "timestamp" timestamptz DEFAULT now() NOT NULL);
CREATE INDEX metric_provider_idx ON public."bazaar-vid_api_usage_metric" (provider);
CREATE TABLE public.api_usage_metric (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), provider text NOT NULL, model text NOT NULL, "userId" varchar(255), "projectId" uuid, success boolean NOT NULL, "responseTime" integer NOT NULL,
  "tokenCount" integer, "errorType" text, "timestamp" timestamptz DEFAULT now() NOT NULL,
  CONSTRAINT old_user_fk FOREIGN KEY ("userId") REFERENCES public."bazaar-vid_user" (id) ON DELETE CASCADE);
CREATE TABLE public.note (id serial PRIMARY KEY, metric uuid CONSTRAINT note_metric_fk REFERENCES public.api_usage_metric (id) ON DELETE CASCADE DEFERRABLE);
COMMENT ON CONSTRAINT note_metric_fk ON public.note IS 'about a call';
INSERT INTO public."bazaar-vid_user" VALUES ('user_2XQLf'), ('u2');
INSERT INTO public.api_usage_metric SELECT ('00000000-0000-0000-0000-00000000000' || g)::uuid, 'openai', 'gpt-4', CASE WHEN g < 4 THEN 'u2' END, NULL, true, g * 100, g, CASE WHEN g = 7 THEN 'timeout' END, '2025-01-01Z' FROM generate_series(1, 7) g;
INSERT INTO public."bazaar-vid_api_usage_metric" (id, provider, model, user_id, success, response_time_ms, total_tokens, error_message, tool_name, "timestamp")
  SELECT id, provider, model, "userId", success, "responseTime", "tokenCount", "errorType", 'tool', "timestamp" FROM public.api_usage_metric WHERE "tokenCount" IN (5, 6);
INSERT INTO public."bazaar-vid_api_usage_metric" (id, provider, model, success, response_time_ms, "timestamp") VALUES ('00000000-0000-0000-0000-000000000007', 'anthropic', 'claude', true, 1, '2025-01-01Z'), ('00000000-0000-0000-0000-000000000099', 'anthropic', 'claude', true, 1, '2025-01-01Z');
INSERT INTO public.note (metric) VALUES ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000005'), (NULL);
