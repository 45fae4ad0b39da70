/** Two small databases shaped like the scenario's: the same idea of an application, grown apart. */

const common = `
CREATE TABLE public."shop-app_user" (id varchar(255) PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE public."shop-app_project" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "userId" varchar(255) NOT NULL REFERENCES public."shop-app_user" (id) ON DELETE CASCADE, name text NOT NULL);
CREATE TABLE public."shop-app_scene" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid REFERENCES public."shop-app_project" (id), data jsonb);
CREATE TABLE public."shop-app_patch" (id serial PRIMARY KEY, body text);
INSERT INTO public."shop-app_user" SELECT 'user_' || i, i || '@example.com' FROM generate_series(1, 20) i;
INSERT INTO public."shop-app_project" SELECT md5('p' || i)::uuid, 'user_' || 1 + i % 20, 'p' || i FROM generate_series(1, 50) i;
INSERT INTO public."shop-app_scene" (project_id) SELECT md5('p' || i)::uuid FROM generate_series(1, 50) i;
`;

/** exports are all text, two of them name a deleted project; analytics of the second kind; a duplicate table with seven rows. */
export const production = `${common}
CREATE TABLE public."shop-app_exports" (id text PRIMARY KEY, user_id text NOT NULL, project_id text NOT NULL, render_id text UNIQUE, status text NOT NULL DEFAULT 'pending');
INSERT INTO public."shop-app_exports"
  SELECT md5('e' || i)::uuid::text, 'user_' || 1 + i % 20, CASE WHEN i <= 2 THEN 'a161a5cc-886a-48dc-be84-84d31e131d88' ELSE md5('p' || 1 + i % 50)::uuid::text END, 'r' || i FROM generate_series(1, 134) i;
CREATE TABLE public."shop-app_export_analytics" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), export_id text NOT NULL, event text);
INSERT INTO public."shop-app_export_analytics" (export_id, event) SELECT md5('e' || 1 + i % 134)::uuid::text, 'view' FROM generate_series(1, 379) i;
CREATE TABLE public.api_usage_metric (id text PRIMARY KEY, provider text, model text, "userId" text, "projectId" text, success boolean, "responseTime" integer, "tokenCount" integer, "errorType" text, "timestamp" timestamptz DEFAULT now());
CREATE TABLE public."shop-app_api_usage_metric" (id text PRIMARY KEY, provider text, model text, user_id text, project_id text, tool_name text, success boolean, response_time_ms integer, input_tokens integer, output_tokens integer, total_tokens integer, error_message text, metadata jsonb, "timestamp" timestamptz DEFAULT now());
INSERT INTO public."shop-app_api_usage_metric" (id, provider, model, user_id) SELECT 'm' || i, 'p', 'm', 'user_1' FROM generate_series(1, 10) i;
INSERT INTO public.api_usage_metric (id, provider, model, "userId") SELECT 'm' || i, 'p', 'm', 'user_1' FROM generate_series(8, 14) i;
CREATE TABLE public."shop-app_scene_plan" (id uuid PRIMARY KEY, note text);
CREATE TABLE public."shop-app_project_memory" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), memory text);
INSERT INTO public."shop-app_project_memory" (memory) SELECT 'x' FROM generate_series(1, 621);
CREATE FUNCTION public.show_db_tree() RETURNS text LANGUAGE sql AS $$ SELECT 'tree' $$;
CREATE INDEX user_email_idx ON public."shop-app_user" (email);
ALTER TABLE public."shop-app_scene" ADD CONSTRAINT scene_has_data CHECK (data IS NOT NULL) NOT VALID;
CREATE TYPE public.mood AS ENUM ('good', 'bad');
`;

export const development = `${common}
CREATE TABLE public."shop-app_exports" (project_id uuid NOT NULL, id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id varchar(255) NOT NULL, render_id text UNIQUE, status text NOT NULL DEFAULT 'pending',
  CONSTRAINT exports_user_fk FOREIGN KEY (user_id) REFERENCES public."shop-app_user" (id) ON DELETE CASCADE,
  CONSTRAINT exports_project_fk FOREIGN KEY (project_id) REFERENCES public."shop-app_project" (id) ON DELETE CASCADE);
CREATE INDEX exports_user_idx ON public."shop-app_exports" (user_id);
COMMENT ON COLUMN public."shop-app_exports".status IS 'how far it is';
CREATE TABLE public."shop-app_export_analytics" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), export_id text NOT NULL, event text);
CREATE TABLE public.api_usage_metric (id text PRIMARY KEY, provider text, model text, "userId" text, "projectId" text, success boolean, "responseTime" integer, "tokenCount" integer, "errorType" text, "timestamp" timestamptz DEFAULT now());
CREATE TABLE public."shop-app_promo_codes" (id uuid PRIMARY KEY, code text UNIQUE);
CREATE INDEX user_by_email ON public."shop-app_user" (email);
ALTER TABLE public."shop-app_project" ADD COLUMN archived boolean NOT NULL DEFAULT false;
CREATE TYPE public.mood AS ENUM ('good', 'bad', 'strange');
CREATE SCHEMA auth;
CREATE FUNCTION auth.user_id() RETURNS text LANGUAGE sql AS $$ SELECT 'me' $$;
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (id text PRIMARY KEY);
`;
