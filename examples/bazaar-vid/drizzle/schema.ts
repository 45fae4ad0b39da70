import { sql } from 'drizzle-orm';
import { boolean, check, date, index, integer, jsonb, pgTableCreator, text, timestamp, unique, uuid, varchar } from 'drizzle-orm/pg-core';

/** Several applications share the database: every table of this one carries its name. */
const createTable = pgTableCreator((name) => `bazaar-vid_${name}`);

export const users = createTable('user', {
  id: varchar('id', { length: 255 }).primaryKey(),
  name: varchar('name', { length: 255 }),
  email: varchar('email', { length: 255 }).notNull().unique(),
  emailVerified: timestamp('emailVerified', { withTimezone: true }),
  image: varchar('image', { length: 255 }),
  password: varchar('password', { length: 255 }),
  isAdmin: boolean('isAdmin').notNull().default(false),
  createdAt: timestamp('createdAt', { withTimezone: true })
    .notNull()
    .default(sql`CURRENT_TIMESTAMP`),
});

export const projects = createTable(
  'project',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: varchar('userId', { length: 255 })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    title: varchar('title', { length: 255 }).notNull(),
    props: jsonb('props').notNull(),
    isWelcome: boolean('isWelcome').notNull().default(true),
    createdAt: timestamp('createdAt', { withTimezone: true })
      .notNull()
      .default(sql`CURRENT_TIMESTAMP`),
    updatedAt: timestamp('updatedAt', { withTimezone: true }),
  },
  (table) => [index('project_userId_idx').on(table.userId), unique('bazaar-vid_project_userId_title_unique').on(table.userId, table.title)],
);

export const exports_ = createTable(
  'exports',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: varchar('user_id', { length: 255 })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    projectId: uuid('project_id')
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    renderId: text('render_id').notNull().unique(),
    status: text('status').notNull().default('pending'),
    progress: integer('progress').default(0),
    format: text('format').notNull().default('mp4'),
    quality: text('quality').notNull().default('high'),
    outputUrl: text('output_url'),
    fileSize: integer('file_size'),
    duration: integer('duration'),
    error: text('error'),
    metadata: jsonb('metadata'),
    downloadCount: integer('download_count').default(0),
    lastDownloadedAt: timestamp('last_downloaded_at'),
    createdAt: timestamp('created_at').notNull().defaultNow(),
    completedAt: timestamp('completed_at'),
  },
  (table) => [
    index('exports_user_idx').on(table.userId),
    index('exports_project_idx').on(table.projectId),
    index('exports_render_idx').on(table.renderId),
    index('exports_created_idx').on(table.createdAt),
  ],
);

export const exportAnalytics = createTable(
  'export_analytics',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    exportId: uuid('export_id')
      .notNull()
      .references(() => exports_.id, { onDelete: 'cascade' }),
    eventType: text('event_type').notNull(),
    userAgent: text('user_agent'),
    ipAddress: text('ip_address'),
    referrer: text('referrer'),
    metadata: jsonb('metadata'),
    createdAt: timestamp('created_at').notNull().defaultNow(),
  },
  (table) => [index('export_analytics_export_idx').on(table.exportId), index('export_analytics_created_idx').on(table.createdAt)],
);

export const promoCodes = createTable(
  'promo_codes',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    code: varchar('code', { length: 50 }).notNull().unique(),
    discountType: text('discount_type').notNull(),
    discountValue: integer('discount_value').notNull(),
    maxUses: integer('max_uses'),
    usesCount: integer('uses_count').notNull().default(0),
    validFrom: timestamp('valid_from', { withTimezone: true }).notNull().defaultNow(),
    validUntil: timestamp('valid_until', { withTimezone: true }),
    createdBy: varchar('created_by', { length: 255 }).references(() => users.id, { onDelete: 'set null' }),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [check('promo_codes_discount_type_check', sql`${table.discountType} in ('percentage', 'fixed', 'credits')`)],
);

export const promoCodeUsage = createTable(
  'promo_code_usage',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    promoCodeId: uuid('promo_code_id')
      .notNull()
      .references(() => promoCodes.id, { onDelete: 'cascade' }),
    userId: varchar('user_id', { length: 255 })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    discountApplied: integer('discount_applied').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [unique('promo_code_usage_once').on(table.promoCodeId, table.userId), index('promo_code_usage_user_idx').on(table.userId)],
);

export const paywallEvents = createTable(
  'paywall_events',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: varchar('user_id', { length: 255 })
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    eventType: text('event_type').notNull(),
    metadata: jsonb('metadata'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('paywall_events_user_idx').on(table.userId, table.createdAt)],
);

export const paywallAnalytics = createTable(
  'paywall_analytics',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    date: date('date').notNull().unique(),
    uniqueUsers: integer('unique_users').notNull().default(0),
    viewed: integer('viewed').notNull().default(0),
    purchased: integer('purchased').notNull().default(0),
    topUserId: varchar('top_user_id', { length: 255 }).references(() => users.id, { onDelete: 'set null' }),
  },
);
