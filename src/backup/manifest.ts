import { z } from 'zod';
import type { Contents } from '../proof/contents.js';

const relation = { schema: z.string(), name: z.string() };
const count = z.number().int().nonnegative();

/** What a backup says of itself: counts, checksums, names, versions; never a row's value. */
export const manifestShape = z.strictObject({
  version: z.literal(1),
  kind: z.literal('backup'),
  toolVersion: z.string(),
  database: z.enum(['production', 'development']),
  planDigest: z.string(),
  planId: z.string(),
  allow: z.array(z.string()),
  maxLockMs: count,
  run: z.string(),
  attempt: z.string(),
  /** when the snapshot was taken, by the server's clock */
  at: z.string(),
  snapshot: z.string(),
  server: z.strictObject({ version: z.string(), major: count, encoding: z.string(), collate: z.string(), ctype: z.string(), provider: z.string() }),
  client: z.string(),
  /** first 12 hex of the dump's digest */
  backupId: z.string().regex(/^[0-9a-f]{12}$/),
  dump: z.strictObject({ name: z.string(), digest: z.string().regex(/^[0-9a-f]{64}$/), bytes: count, cipher: z.enum(['x25519', 'scrypt']) }),
  /** the plan's schemas, which the fingerprint covers */
  schemas: z.array(z.string()),
  schemaFingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** the same by kind of object, to say where a difference lies */
  fingerprints: z.record(z.string(), z.string()),
  tables: z.array(z.strictObject({ ...relation, rows: count, checksum: z.string().regex(/^-?\d+$/), bytes: count })),
  /** an archive holds the rows of its `tables` only, beside the definitions of the whole database */
  rowsOf: z.enum(['all tables', 'the tables listed']),
  /** read before the dump began: a dump's sequences do not obey its snapshot, so they may only be further (PLATFORM B9) */
  sequences: z.array(z.strictObject({ ...relation, value: z.string().nullable(), increment: z.string() })),
  largeObjects: count,
  notBackedUp: z.array(z.strictObject({ schema: z.string(), why: z.string() })),
  /** materialized views and foreign tables: dumped as definitions, their rows are not compared */
  notCompared: z.array(z.string()),
  extensions: z.array(z.strictObject({ name: z.string(), schema: z.string(), version: z.string(), needed: z.boolean() })),
  /** roles that own, may use or are named by objects; without passwords */
  roles: z.array(
    z.strictObject({
      name: z.string(),
      superuser: z.boolean(),
      inherit: z.boolean(),
      createdb: z.boolean(),
      createrole: z.boolean(),
      bypassrls: z.boolean(),
      inPolicies: z.boolean(),
      memberOf: z.array(z.string()),
    }),
  ),
  /** the role that owns most tables of the schemas: as whom a private clone is used */
  owner: z.string(),
});

export type Manifest = z.infer<typeof manifestShape>;

export const manifestContents = (manifest: Manifest): readonly Contents[] =>
  manifest.tables.map(({ schema, name, rows, checksum, bytes }) => ({ relation: { schema, name }, rows, checksum, bytes }));

/** `lossless-<database>-<run>-<attempt>`: the common beginning of a backup's two files. */
export const backupName = (database: string, invocation: { readonly run: string; readonly attempt: string }): string =>
  `lossless-${database}-${invocation.run}-${invocation.attempt}`;
export const dumpFile = (base: string): string => `${base}.dump.age`;
/** An archive's manifest has another ending, so that no phase takes it for a backup of the database. */
export const manifestFile = (base: string, rowsOf: Manifest['rowsOf']): string => `${base}.${rowsOf === 'all tables' ? 'manifest' : 'archive'}.json`;
