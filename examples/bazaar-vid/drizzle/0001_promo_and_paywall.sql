CREATE TABLE "bazaar-vid_paywall_analytics" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"date" date NOT NULL,
	"unique_users" integer DEFAULT 0 NOT NULL,
	"viewed" integer DEFAULT 0 NOT NULL,
	"purchased" integer DEFAULT 0 NOT NULL,
	"top_user_id" varchar(255),
	CONSTRAINT "bazaar-vid_paywall_analytics_date_unique" UNIQUE("date")
);
--> statement-breakpoint
CREATE TABLE "bazaar-vid_paywall_events" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"user_id" varchar(255) NOT NULL,
	"event_type" text NOT NULL,
	"metadata" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "bazaar-vid_promo_code_usage" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"promo_code_id" uuid NOT NULL,
	"user_id" varchar(255) NOT NULL,
	"discount_applied" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "promo_code_usage_once" UNIQUE("promo_code_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "bazaar-vid_promo_codes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"code" varchar(50) NOT NULL,
	"discount_type" text NOT NULL,
	"discount_value" integer NOT NULL,
	"max_uses" integer,
	"uses_count" integer DEFAULT 0 NOT NULL,
	"valid_from" timestamp with time zone DEFAULT now() NOT NULL,
	"valid_until" timestamp with time zone,
	"created_by" varchar(255),
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bazaar-vid_promo_codes_code_unique" UNIQUE("code"),
	CONSTRAINT "promo_codes_discount_type_check" CHECK ("bazaar-vid_promo_codes"."discount_type" in ('percentage', 'fixed', 'credits'))
);
--> statement-breakpoint
ALTER TABLE "bazaar-vid_paywall_analytics" ADD CONSTRAINT "bazaar-vid_paywall_analytics_top_user_id_bazaar-vid_user_id_fk" FOREIGN KEY ("top_user_id") REFERENCES "public"."bazaar-vid_user"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bazaar-vid_paywall_events" ADD CONSTRAINT "bazaar-vid_paywall_events_user_id_bazaar-vid_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."bazaar-vid_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bazaar-vid_promo_code_usage" ADD CONSTRAINT "bazaar-vid_promo_code_usage_promo_code_id_bazaar-vid_promo_codes_id_fk" FOREIGN KEY ("promo_code_id") REFERENCES "public"."bazaar-vid_promo_codes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bazaar-vid_promo_code_usage" ADD CONSTRAINT "bazaar-vid_promo_code_usage_user_id_bazaar-vid_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."bazaar-vid_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "bazaar-vid_promo_codes" ADD CONSTRAINT "bazaar-vid_promo_codes_created_by_bazaar-vid_user_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."bazaar-vid_user"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "paywall_events_user_idx" ON "bazaar-vid_paywall_events" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "promo_code_usage_user_idx" ON "bazaar-vid_promo_code_usage" USING btree ("user_id");