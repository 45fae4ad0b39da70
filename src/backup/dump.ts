import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailed, UserError } from '../errors.js';
import { block, warn, type Finding } from '../finding.js';
import { display, type Relation } from '../names.js';
import type { Target } from '../pg/connect.js';
import type { StoredFile } from '../ports.js';
import { contents, tablesIn, type Contents } from '../proof/contents.js';
import { fingerprint, fingerprintsByKind, schemaOf } from '../proof/fingerprint.js';
import { encryptFile, lockOf, type Encrypted, type Key } from './cipher.js';
import { findClient, type Tools } from './client.js';
import type { BackupContext } from './context.js';
import { dumpFile, manifestFile, type Manifest } from './manifest.js';
import { refuseBlocking } from './refused.js';

export interface BackupOptions {
  readonly database: 'production' | 'development';
  readonly target: Target;
  /** what the plan binds: its schemas are the fingerprint's */
  readonly plan: { readonly id: string; readonly digest: string; readonly schemas: readonly string[] };
  /** every schema that the plan may touch: if one cannot be backed up, the backup is refused */
  readonly touches: readonly string[];
  readonly allow: readonly string[];
  readonly maxLockMs: number;
  /** beginning of the names of both files */
  readonly name: string;
  /** an archive: the rows of these tables only, with the definitions of the whole database so that it can be restored; null: all rows */
  readonly rowsOf: readonly Relation[] | null;
}

/** A backup before it is stored: the encrypted file is in the scratch directory, and can be opened without the secret identity. */
export interface LocalBackup {
  readonly manifest: Manifest;
  readonly path: string;
  readonly key: Key;
  readonly findings: readonly Finding[];
}

export interface Backup {
  readonly manifest: Manifest;
  readonly dump: StoredFile;
  readonly manifestFile: StoredFile;
  readonly findings: readonly Finding[];
}

/** sessions that count and checksum beside pg_dump; more gain nothing on two cores */
const counters = 2;
const lockWaitMs = 30_000;

/**
 * Dumps a database and stores it with its manifest. One session exports its snapshot; pg_dump and the counting sessions read in that very
 * snapshot, so that counts and checksums are of exactly the rows dumped, whatever the application writes meanwhile. The dump goes from pg_dump's
 * standard output into the cipher: no plain byte reaches the disk. ACCESS SHARE on every table until the dump ends: DDL waits (PLATFORM B11).
 * `before` runs on the local file before anything is stored. Refuses: no recipient or passphrase; a schema the plan touches that cannot be
 * read; hidden large objects. Schemas that cannot be read are left out, listed as `backup-schema-left-out`.
 */
export async function takeBackup(cx: BackupContext, options: BackupOptions, before?: (local: LocalBackup) => Promise<void>): Promise<Backup> {
  const lock = lockOf(cx.inputs);
  const store = await cx.store();
  const directory = await mkdtemp(join(cx.scratch, 'backup-'));
  try {
    const exporter = await cx.open(options.target, 'snapshot', 'lossless backup snapshot');
    const tools = await findClient({ exec: cx.exec, signal: cx.signal, major: Math.trunc(exporter.version / 10_000), postgresBin: cx.inputs['postgres-bin'] });
    const path = join(directory, dumpFile(options.name));
    const local = await exporter.transaction(
      async (tx): Promise<LocalBackup> => {
        const seen = await tx.one<SnapshotRow>('backup/export-snapshot');
        const { notBackedUp, findings } = await leftOut(tx, options, seen.hidden_large_objects);
        const excluded = notBackedUp.map((s) => s.schema);
        const every = (await tablesIn(tx, null)).filter((t) => !excluded.includes(t.schema));
        const tables = options.rowsOf ?? every;
        const facts = await factsOf(tx, options, excluded);
        const stop = new AbortController();
        const signal = AbortSignal.any([cx.signal, stop.signal]);
        const withoutRows = options.rowsOf === null ? [] : await rowsLeftOut(tx, options.rowsOf);
        const [dumped, counted] = await together(stop, [
          dump(cx, options, tools, { snapshot: seen.id, excluded, withoutRows, path, lock, signal }),
          count(cx, options.target, tables, seen.id, signal),
        ]);
        const manifest: Manifest = {
          version: 1,
          kind: 'backup',
          toolVersion: cx.toolVersion,
          database: options.database,
          planDigest: options.plan.digest,
          planId: options.plan.id,
          allow: [...options.allow].sort(),
          maxLockMs: options.maxLockMs,
          run: cx.invocation.run,
          attempt: cx.invocation.attempt,
          at: seen.at,
          snapshot: seen.id,
          server: { version: seen.version, major: tools.major, encoding: seen.encoding, collate: seen.collate, ctype: seen.ctype, provider: seen.provider },
          client: tools.version,
          backupId: dumped.digest.slice(0, 12),
          dump: { name: dumpFile(options.name), digest: dumped.digest, bytes: dumped.bytes, cipher: lock.kind },
          schemas: [...options.plan.schemas],
          tables: counted.map(({ relation, rows, checksum, bytes }) => ({ ...relation, rows, checksum, bytes })),
          rowsOf: options.rowsOf === null ? 'all tables' : 'the tables listed',
          largeObjects: seen.large_objects,
          notBackedUp,
          ...facts,
        };
        return { manifest, path, key: { kind: 'file-key', fileKey: dumped.fileKey }, findings: [...findings, ...tools.findings] };
      },
      { isolation: 'repeatable read', readOnly: true, retry: false },
    );
    await before?.(local);
    const text = join(directory, manifestFile(options.name, local.manifest.rowsOf));
    await writeFile(text, `${JSON.stringify(local.manifest, null, 2)}\n`, { mode: 0o600 });
    const stored = await store.put(local.manifest.dump.name, path);
    if (stored.digest !== local.manifest.dump.digest) {
      throw new UserError(`the store holds ${stored.name} with another digest than was written`, {
        hint: 'The upload was damaged: run the phase again (a new attempt uses new names).',
      });
    }
    const named = await store.put(manifestFile(options.name, local.manifest.rowsOf), text);
    for (const file of [stored, named])
      cx.report({ type: 'file-stored', name: file.name, digest: file.digest, bytes: file.bytes, expires: file.expires?.toISOString() ?? null });
    return { manifest: local.manifest, dump: stored, manifestFile: named, findings: local.findings };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface SnapshotRow {
  readonly id: string;
  readonly at: string;
  readonly version: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: string;
  readonly large_objects: number;
  readonly hidden_large_objects: number;
}

type Tx = Awaited<ReturnType<BackupContext['open']>>;

/** Schemas that cannot be dumped, and whether the plan or what is dumped needs them. */
async function leftOut(
  tx: Tx,
  options: BackupOptions,
  hiddenLargeObjects: number,
): Promise<{ notBackedUp: { schema: string; why: string }[]; findings: Finding[] }> {
  const rows = await tx.rows<{ schema: string; why: string | null }>('backup/unreadable-schemas');
  const notBackedUp = rows.flatMap(({ schema, why }) => (why === null ? [] : [{ schema, why }]));
  const excluded = notBackedUp.map((s) => s.schema);
  const hint = `Grant the role ${tx.target.user} what is missing (USAGE on the schema, SELECT on its tables and sequences, BYPASSRLS where row level security applies).`;
  const touched = notBackedUp.filter((s) => options.touches.includes(s.schema));
  const needing = excluded.length === 0 ? [] : await tx.rows<{ object: string; schema: string }>('backup/depends-on-schemas', { values: [excluded] });
  const findings = [
    ...touched.map((s) =>
      block('schema-not-backed-up', `the plan touches schema ${s.schema}, which cannot be backed up: ${s.why}`, { object: s.schema, hint }),
    ),
    ...[...new Set(needing.map((n) => n.schema))].map((schema) =>
      block(
        'schema-not-backed-up',
        `schema ${schema} cannot be backed up, and others need it: ${needing
          .filter((n) => n.schema === schema)
          .map((n) => n.object)
          .join(', ')}`,
        { object: schema, hint },
      ),
    ),
    ...(hiddenLargeObjects === 0
      ? []
      : [
          block('large-object-not-readable', `${String(hiddenLargeObjects)} large objects cannot be read by ${tx.target.user}`, {
            count: hiddenLargeObjects,
            hint: 'GRANT SELECT ON LARGE OBJECT …, or connect as their owner.',
          }),
        ]),
    ...notBackedUp
      .filter((s) => !touched.includes(s))
      .map((s) => warn('backup-schema-left-out', `schema ${s.schema} is not in the backup: ${s.why}`, { object: s.schema, hint })),
  ];
  refuseBlocking(findings);
  return { notBackedUp, findings };
}

async function factsOf(
  tx: Tx,
  options: BackupOptions,
  excluded: readonly string[],
): Promise<Pick<Manifest, 'schemaFingerprint' | 'fingerprints' | 'sequences' | 'notCompared' | 'extensions' | 'roles' | 'owner'>> {
  const image = await schemaOf(tx, options.plan.schemas);
  const notCompared = await tx.rows<{ what: string }>('backup/not-compared', { values: [excluded] });
  const { owner } = await tx.one<{ owner: string }>('backup/owner', { values: [options.plan.schemas] });
  return {
    schemaFingerprint: fingerprint(image),
    fingerprints: fingerprintsByKind(image),
    sequences: await tx.rows('backup/sequences', { values: [excluded] }),
    notCompared: notCompared.map((n) => n.what),
    extensions: await tx.rows('backup/extensions'),
    roles: await tx.rows('backup/roles'),
    owner,
  };
}

async function rowsLeftOut(tx: Tx, rowsOf: readonly Relation[]): Promise<readonly Relation[]> {
  const kept = new Set(rowsOf.map(display));
  return (await tx.rows<Relation>('backup/every-table')).filter((t) => !kept.has(display(t)));
}

interface DumpWork {
  readonly snapshot: string;
  readonly excluded: readonly string[];
  readonly withoutRows: readonly Relation[];
  readonly path: string;
  readonly lock: Parameters<typeof encryptFile>[2];
  readonly signal: AbortSignal;
}

async function dump(cx: BackupContext, options: BackupOptions, tools: Tools, work: DumpWork): Promise<Encrypted> {
  const argv = [
    tools.dump,
    '--format=custom',
    // gzip 1: a third of the default's time for a tenth more bytes (PERF "Backup"); never compressed again after encryption
    '--compress=1',
    `--snapshot=${work.snapshot}`,
    `--lock-wait-timeout=${String(lockWaitMs)}`,
    '--no-password',
    '--no-sync',
    ...(tools.major >= 18 ? ['--no-statistics'] : []),
    ...work.excluded.map((schema) => `--exclude-schema=${pattern(schema)}`),
    ...work.withoutRows.map((t) => `--exclude-table-data=${pattern(t.schema)}.${pattern(t.name)}`),
  ];
  let encrypted: Encrypted | undefined;
  try {
    await cx.exec(argv, {
      env: { ...options.target.env, PGAPPNAME: 'lossless backup pg_dump' },
      signal: work.signal,
      stdout: async (stream) => {
        encrypted = await encryptFile(stream, work.path, work.lock);
      },
    });
  } catch (error) {
    throw explained(error);
  }
  if (encrypted === undefined) throw new UserError('pg_dump wrote nothing', { hint: 'Run the phase again.' });
  return encrypted;
}

/** pg_dump's own words, translated where they mislead. */
function explained(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  if (/statement timeout|lock timeout/.test(error.lastLine)) {
    return new UserError(`pg_dump waited ${String(lockWaitMs / 1000)} s for a table that another session has locked: ${error.lastLine}`, {
      hint: 'Nothing was changed. Run the backup when no DDL is going on.',
      cause: error,
    });
  }
  if (/permission denied|row-level security/.test(error.lastLine))
    return new UserError(`pg_dump may not read everything: ${error.lastLine}`, {
      hint: 'Grant the role what is missing; a partial backup is none.',
      cause: error,
    });
  return error;
}

/** Each table in a short transaction of its own on the imported snapshot: the exporter holds it open. */
async function count(cx: BackupContext, target: Target, tables: readonly Relation[], snapshot: string, signal: AbortSignal): Promise<readonly Contents[]> {
  const left = tables.map((relation, at) => ({ relation, at })).reverse();
  const result: Contents[] = [];
  const worker = async (): Promise<void> => {
    const db = await cx.open(target, 'reader', 'lossless backup counting');
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { relation, at } = next;
      if (signal.aborted) return;
      const [of] = await db.transaction((tx) => contents(tx, [relation]), { isolation: 'repeatable read', readOnly: true, snapshot });
      if (of !== undefined) result[at] = of;
      cx.report({
        type: 'progress',
        step: 'backup',
        what: 'tables counted and checksummed',
        done: result.filter(Boolean).length,
        of: tables.length,
        unit: 'tables',
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(counters, tables.length) }, worker));
  return result;
}

/** Both to their end; when one fails the other is stopped, and the first error is the one that is told. */
async function together<A, B>(stop: AbortController, [a, b]: readonly [Promise<A>, Promise<B>]): Promise<readonly [A, B]> {
  let first: unknown;
  const watched = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      first ??= error;
      stop.abort();
      throw error;
    });
  const [left, right] = await Promise.allSettled([watched(a), watched(b)]);
  if (left.status === 'rejected' || right.status === 'rejected') throw first;
  return [left.value, right.value];
}

/** A psql pattern that means exactly this name. */
const pattern = (name: string): string => `"${name.replace(/"/g, '""')}"`;
