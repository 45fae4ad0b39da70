import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CommandFailed, NotProved } from '../errors.js';
import { block, note, type Finding } from '../finding.js';
import { display, isOurs, oursPattern, type Relation } from '../names.js';
import type { Target } from '../pg/connect.js';
import { contents, contentsDiffer, tablesIn, unreadable, type Contents } from '../proof/contents.js';
import { fingerprint, fingerprintsByKind, schemaOf } from '../proof/fingerprint.js';
import type { Check, TableAccount } from '../report/event.js';
import { decryptFile, type Key } from './cipher.js';
import type { Tools } from './client.js';
import type { BackupContext } from './context.js';
import { manifestContents, type Manifest } from './manifest.js';
import { BackupRefused, refuseBlocking } from './refused.js';

export interface RestoreOptions {
  readonly manifest: Manifest;
  /** the encrypted dump, as it came from the store */
  readonly path: string;
  readonly key: Key;
  /** an empty database; the session's role must be able to create everything in it */
  readonly target: Target;
  readonly tools: Tools;
  /** private server: owners and grants are restored too, because their roles were made; staging: everything belongs to its user, without grants */
  readonly owners: boolean;
}

export interface Compared {
  readonly checks: readonly Check[];
  readonly tables: readonly TableAccount[];
  readonly rowsCompared: number;
  readonly notCompared: readonly string[];
  /** blocking when anything differs */
  readonly findings: readonly Finding[];
}

/**
 * Verifies the digest, decrypts into a 0600 file (pg_restore needs to seek; removed again whatever happens), and restores it with errors
 * fatal. Returns one finding per entry of the dump that was left out: extensions that exist or are not needed, publications, subscriptions, event triggers.
 * Refuses: `backup-unreadable`, `extension-not-available`, `staging-role-missing`. Errors: NotProved with pg_restore's last words.
 */
export async function restoreBackup(cx: BackupContext, options: RestoreOptions): Promise<readonly Finding[]> {
  const { manifest, path, key, target, tools, owners } = options;
  if ((await digestOf(path)) !== manifest.dump.digest) {
    throw new BackupRefused([
      block('backup-unreadable', `${manifest.dump.name} is not the file that its manifest describes: the digests differ`, {
        object: manifest.dump.name,
        hint: 'It was cut, replaced or tampered with: take it from another copy, or run the phase backup again.',
      }),
    ]);
  }
  const directory = await mkdtemp(join(cx.scratch, 'restore-'));
  try {
    const plain = join(directory, 'dump');
    await decryptFile(path, plain, key);
    const { stdout: list } = await cx.exec([tools.restore, '--list', plain], { env: {}, signal: cx.signal });
    const chosen = await choose(cx, options, list);
    const listFile = join(directory, 'list');
    await writeFile(listFile, chosen.list, { mode: 0o600 });
    const argv = [
      tools.restore,
      '--exit-on-error',
      '--jobs=2',
      '--no-password',
      `--use-list=${listFile}`,
      ...(owners ? [] : ['--no-owner', '--no-acl']),
      `--dbname=dbname='${target.database.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`,
      plain,
    ];
    const errors: string[] = [];
    const onLine = (line: string): void => {
      // not the lines after it, which quote rows, and not the echo of the workers
      if (/\bERROR: |FATAL: /.test(line)) errors.push(line);
    };
    try {
      await cx.exec(argv, { env: { ...target.env, PGAPPNAME: 'lossless restore' }, signal: cx.signal, onLine });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      // an orphan in the origin makes its own foreign key fail here (PLATFORM B22): the origin's fault, and worth saying so
      const said = errors[0] ?? (/^(DETAIL|CONTEXT):|^COPY /.test(error.lastLine) ? 'pg_restore ended with an error' : error.lastLine);
      const own = /violates (foreign key|check|unique) constraint|could not create unique index/.test(said);
      throw new NotProved(`the backup cannot be restored: ${said}`, {
        hint: own
          ? `The data of ${manifest.database} breaks one of its own constraints. Repair it there, or drop the constraint, and take a new backup.`
          : 'Nothing of production was touched. Read the message; if the server for the clone is at fault, correct it and run the phase again.',
        cause: error,
      });
    }
    const db = await cx.open(target, 'worker', 'lossless restore');
    await db.change('backup/analyze');
    return chosen.findings;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Reads everything that the manifest counted, on the restored database, and compares. Locks: ACCESS SHARE, nobody else is there. */
export async function compareWithManifest(cx: BackupContext, manifest: Manifest, target: Target): Promise<Compared> {
  const expected = manifestContents(manifest);
  const reader = await cx.open(target, 'reader', 'lossless compare');
  const whole = manifest.rowsOf === 'all tables';
  const present = whole ? await tablesIn(reader, null) : expected.map((e) => e.relation);
  refuseBlocking(await unreadable(reader, present));
  const actual = await countAll(cx, target, present);
  const differing = contentsDiffer(expected, actual);
  const { count: largeObjects } = await reader.one<{ count: number }>('backup/large-objects');
  const sequences = whole ? await lagging(cx, manifest, target) : [];
  const image = await schemaOf(reader, manifest.schemas);
  const same = fingerprint(image) === manifest.schemaFingerprint;
  const kinds = fingerprintsByKind(image);
  const otherKinds = [...new Set([...Object.keys(kinds), ...Object.keys(manifest.fingerprints)])].filter((k) => kinds[k] !== manifest.fingerprints[k]);
  const rows = expected.reduce((sum, e) => sum + e.rows, 0);
  const hint = 'Do not rely on this backup: run the phase backup again. If it differs again, report it with the report file.';
  const findings = [
    ...differing.map((d) => block('backup-differs', `restored table ${display(d.relation)} ${d.what}`, { object: display(d.relation), hint })),
    ...sequences.map((s) => block('backup-differs', `restored sequence ${s} is behind its origin`, { object: s, hint })),
    ...(same ? [] : [block('backup-differs', `the restored definitions differ from the origin's in: ${otherKinds.join(', ')}`, { hint })]),
    ...(largeObjects === manifest.largeObjects
      ? []
      : [block('backup-differs', `${String(largeObjects)} large objects were restored, expected ${String(manifest.largeObjects)}`, { hint })]),
  ];
  const verdict = (ok: boolean): Check['verdict'] => (ok ? 'pass' : 'fail');
  const found = new Map(actual.map((a) => [display(a.relation), a]));
  return {
    findings,
    rowsCompared: rows,
    notCompared: [
      ...manifest.notCompared,
      ...(manifest.largeObjects === 0 ? [] : ['contents of large objects (only their number)']),
      ...manifest.notBackedUp.map((s) => `schema ${s.schema}: ${s.why}`),
    ],
    checks: [
      {
        name: `restored backup of ${manifest.database}: rows and checksums`,
        criterion: 'data',
        expected: `${String(expected.length)} tables, ${String(rows)} rows`,
        actual: differing.length === 0 ? `${String(expected.length)} tables, ${String(rows)} rows, all equal` : `${String(differing.length)} tables differ`,
        verdict: verdict(differing.length === 0),
      },
      {
        name: `restored backup of ${manifest.database}: sequences`,
        criterion: 'data',
        expected: `${String(manifest.sequences.length)} at or after their origin`,
        actual: sequences.length === 0 ? (whole ? 'all at or after their origin' : 'not part of an archive') : `behind: ${sequences.join(', ')}`,
        verdict: whole ? verdict(sequences.length === 0) : 'not-measured',
      },
      {
        name: `restored backup of ${manifest.database}: definitions`,
        criterion: 'data',
        expected: manifest.schemaFingerprint.slice(0, 12),
        actual: fingerprint(image).slice(0, 12),
        verdict: verdict(same),
      },
    ],
    tables: expected.map((e) => ({
      step: 'clone',
      table: display(e.relation),
      before: e.rows,
      after: found.get(display(e.relation))?.rows ?? null,
      quarantined: 0,
      checksum: found.get(display(e.relation))?.checksum ?? null,
      proof: 'checksum',
    })),
  };
}

/** Takes out of a clone what a dump of a database with an open run brought along: our triggers, then our schemas (DECISIONS 20). */
export async function dropOurs(cx: BackupContext, target: Target): Promise<void> {
  const db = await cx.open(target, 'worker', 'lossless clone');
  for (const t of await db.rows<Relation & { trigger: string }>('backup/our-triggers', { values: [oursPattern] })) {
    if (!isOurs(t.schema)) await db.change('backup/drop-trigger', { names: { table: { schema: t.schema, name: t.name }, trigger: t.trigger } });
  }
  for (const { schema } of await db.rows<{ schema: string }>('backup/our-schemas')) await db.change('backup/drop-schema', { names: { schema } });
}

async function countAll(cx: BackupContext, target: Target, tables: readonly Relation[]): Promise<readonly Contents[]> {
  const halves = [0, 1].map((half) => tables.filter((_t, i) => i % 2 === half));
  const counted = await Promise.all(
    halves.map(async (half) => {
      const db = await cx.open(target, 'reader', 'lossless compare');
      return contents(db, half);
    }),
  );
  return counted.flat();
}

async function lagging(cx: BackupContext, manifest: Manifest, target: Target): Promise<readonly string[]> {
  const db = await cx.open(target, 'reader', 'lossless compare');
  const rows = await db.rows<{ schema: string; name: string; value: string | null }>('backup/sequences', { values: [[]] });
  const restored = new Map(rows.map((r) => [display(r), r.value]));
  return manifest.sequences
    .filter((s) => !isOurs(s.schema))
    .filter((s) => {
      const value = restored.get(display(s));
      if (value === undefined) return true;
      if (s.value === null) return false;
      if (value === null) return true;
      return BigInt(s.increment) > 0n ? BigInt(value) < BigInt(s.value) : BigInt(value) > BigInt(s.value);
    })
    .map(display);
}

/** The dump's table of contents without what a clone must not or cannot have. */
async function choose(cx: BackupContext, options: RestoreOptions, list: string): Promise<{ readonly list: string; readonly findings: readonly Finding[] }> {
  const { manifest, target, owners } = options;
  const db = await cx.open(target, 'reader', 'lossless restore');
  const available = new Map((await db.rows<{ name: string; installed: boolean; installable: boolean }>('backup/available-extensions')).map((e) => [e.name, e]));
  const missing = manifest.extensions.filter((e) => e.needed && available.get(e.name)?.installed !== true && available.get(e.name)?.installable !== true);
  const policyRoles = manifest.roles.filter((r) => r.inPolicies).map((r) => r.name);
  const roles = new Set((await db.rows<{ name: string }>('backup/existing-roles', { values: [policyRoles] })).map((r) => r.name));
  const where = owners ? 'the private server' : 'the staging server';
  refuseBlocking([
    ...missing.map((e) =>
      block('extension-not-available', `${where} cannot offer extension ${e.name}, which the schema needs`, {
        object: e.name,
        hint: owners
          ? `Install its package for PostgreSQL ${String(manifest.server.major)} on the runner, or give a staging-url whose server has it.`
          : `Create it in the staging database as its administrator: CREATE EXTENSION ${e.name}.`,
      }),
    ),
    ...policyRoles
      .filter((r) => !roles.has(r))
      .map((r) =>
        block('staging-role-missing', `a row level security policy names the role ${r}, which ${where} lacks`, {
          object: r,
          hint: `CREATE ROLE "${r}" NOLOGIN there.`,
        }),
      ),
  ]);
  const skipped = manifest.extensions
    .filter((e) => available.get(e.name)?.installed === true || available.get(e.name)?.installable !== true)
    .map((e) => e.name);
  const findings: Finding[] = [];
  const lines = list.split('\n').map((line) => {
    const entry = /^\d+; \d+ \d+ (.*)$/.exec(line)?.[1];
    if (entry === undefined) return line;
    const why = leftOutBecause(entry, skipped, manifest, owners);
    if (why === null) return line;
    findings.push(note('restore-left-out', `left out of the clone: ${entry.trim()} (${why})`, { object: entry.trim() }));
    return `;${line}`;
  });
  return { list: lines.join('\n'), findings };
}

function leftOutBecause(entry: string, skippedExtensions: readonly string[], manifest: Manifest, owners: boolean): string | null {
  if (/^(PUBLICATION|SUBSCRIPTION)\b|^COMMENT - (PUBLICATION|SUBSCRIPTION) /.test(entry)) return 'a clone must not take part in replication';
  if (entry.startsWith('EVENT TRIGGER ') || entry.startsWith('COMMENT - EVENT TRIGGER ')) return 'only a superuser can make it';
  if (entry.startsWith('COMMENT - EXTENSION ')) return 'only the owner of the extension can say it';
  if (!owners && entry.startsWith('COMMENT - SCHEMA public ')) return 'only the owner of the schema can say it';
  const extension = /^EXTENSION - (.*?)\s*$/.exec(entry)?.[1];
  if (extension !== undefined && skippedExtensions.includes(extension)) return 'it exists there, or the server cannot offer it and nothing needs it';
  if (manifest.rowsOf === 'the tables listed' && entry.startsWith('FK CONSTRAINT ')) return 'an archive holds the rows of some tables only';
  return null;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
