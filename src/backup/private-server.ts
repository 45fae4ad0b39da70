import { appendFile, chmod, chown, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandFailed, QueryFailed, UserError } from '../errors.js';
import { note, type Finding } from '../finding.js';
import { parseTarget, type Target } from '../pg/connect.js';
import { fromCatalog, join as joinSql } from '../pg/render.js';
import type { ServerTools } from './client.js';
import type { BackupContext } from './context.js';
import type { Manifest } from './manifest.js';

/** A PostgreSQL server that only this process can reach: a socket in a 0700 directory, no network. */
export interface PrivateServer {
  /** its superuser */
  admin(database: string): Target;
  as(user: string, database: string): Target;
}

const bootstrapRole = 'lossless_bootstrap';
/** sun_path holds 107 bytes; the server appends `/.s.PGSQL.5432.lock` */
const longestSocketDirectory = 85;

/**
 * Makes a cluster in the scratch directory, starts it, and always stops and removes it again: after an error and after a cancellation too.
 * PostgreSQL refuses to run as root, so root hands it to the user postgres or nobody. fsync is off until `durable` is called.
 * Errors: UserError with what the server said when it does not start.
 */
export async function withPrivateServer<T>(cx: BackupContext, tools: ServerTools, work: (server: PrivateServer) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(cx.scratch, 'server-'));
  const socket = directory.length <= longestSocketDirectory ? directory : await mkdtemp(join(tmpdir(), 'lossless-'));
  const data = join(directory, 'data');
  const log = join(directory, 'log');
  const user = await serverUser();
  if (user !== null) {
    await chmod(cx.scratch, 0o711);
    await chown(directory, user.uid, user.gid);
    await chown(socket, user.uid, user.gid);
  }
  const run = async (argv: readonly string[], signal: AbortSignal): Promise<void> => {
    await cx.exec(argv, { env: { LC_ALL: 'C', TZ: 'UTC', HOME: directory }, cwd: directory, signal, ...user });
  };
  try {
    try {
      await run([tools.initdb, '-D', data, '-U', bootstrapRole, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'], cx.signal);
      await appendFile(join(data, 'postgresql.conf'), settings(socket));
      await run([tools.control, '-D', data, '-l', log, '-w', '-t', '60', '-s', 'start'], cx.signal);
    } catch (error) {
      throw await notStarted(error, log);
    }
    const target = (role: string, database: string): Target =>
      parseTarget(
        `postgres://${encodeURIComponent(role)}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(socket)}&port=5432`,
        'private',
        'private server',
        '',
      );
    return await work({ admin: (database) => target(bootstrapRole, database), as: target });
  } finally {
    // its own signal: a cancelled run must stop its server all the more; a server that never started has nothing to stop
    await run([tools.control, '-D', data, '-m', 'immediate', '-t', '20', '-s', 'stop'], new AbortController().signal).catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
    await rm(socket, { recursive: true, force: true });
  }
}

/**
 * Gives a private server what a dump needs before it can be restored with owners and grants: the origin's roles with their attributes and
 * memberships (without passwords), and its database with encoding and locale. Returns notes about what the machine cannot offer.
 */
export async function furnish(cx: BackupContext, server: PrivateServer, manifest: Manifest, database: string): Promise<readonly Finding[]> {
  const admin = await cx.open(server.admin('postgres'), 'worker', 'lossless private server');
  const owner = manifest.roles.some((r) => r.name === manifest.owner) ? manifest.owner : bootstrapRole;
  for (const role of manifest.roles) {
    const yes = (on: boolean, word: string): string => `${on ? '' : 'NO'}${word}`;
    const attributes = [
      yes(role.superuser, 'SUPERUSER'),
      yes(role.inherit, 'INHERIT'),
      yes(role.createdb, 'CREATEDB'),
      yes(role.createrole, 'CREATEROLE'),
      yes(role.bypassrls, 'BYPASSRLS'),
    ];
    await admin.change('backup/create-role', { names: { role: role.name }, parts: { attributes: joinSql(attributes.map(fromCatalog), ' ') } });
  }
  const wanted = manifest.roles.flatMap((r) => r.memberOf);
  const existing = new Set((await admin.rows<{ name: string }>('backup/existing-roles', { values: [wanted] })).map((r) => r.name));
  for (const role of manifest.roles) {
    for (const group of role.memberOf.filter((g) => existing.has(g))) await admin.change('backup/grant-role', { names: { group, role: role.name } });
  }
  const { encoding, collate, ctype, provider } = manifest.server;
  const names = { database, owner };
  const findings: Finding[] = [];
  try {
    await admin.change('backup/create-database', { names, literals: { encoding, collate, ctype } });
  } catch (error) {
    if (!(error instanceof QueryFailed) || !/^(22023|42809|0A000|58)/.test(error.sqlstate)) throw error;
    findings.push(
      note('clone-other-locale', `this machine lacks the locale ${collate} of the origin; the clone uses C: texts sort otherwise there`, {
        object: collate,
        hint: `Install the locale (locale-gen ${collate}), or give a staging-url.`,
      }),
    );
    await admin.change('backup/create-database', { names, literals: { encoding, collate: 'C', ctype: 'C' } });
  }
  if (provider !== 'c')
    findings.push(note('clone-other-locale', 'the origin sorts by ICU, the clone by the C library: texts may sort otherwise there', { object: collate }));
  return findings;
}

/** After loading: commits reach the disk, so that what is timed on the clone is timed fairly. */
export async function durable(cx: BackupContext, server: PrivateServer): Promise<void> {
  const admin = await cx.open(server.admin('postgres'), 'worker', 'lossless private server');
  await admin.change('backup/durable');
  await admin.rows('backup/reload');
}

/** Errors: UserError when the scratch directory's disk cannot hold the clone (PLATFORM A49: tables, their indexes, and the dump beside them). */
export async function requireSpace(cx: BackupContext, manifest: Manifest): Promise<void> {
  const { bavail, bsize } = await statfs(cx.scratch);
  const free = bavail * bsize;
  const needed = manifest.dump.bytes * 2 + manifest.tables.reduce((sum, t) => sum + t.bytes, 0) * 2.2 + 100 * 2 ** 20;
  if (free >= needed) return;
  const gb = (n: number): string => `${(n / 1e9).toFixed(1)} GB`;
  throw new UserError(`the disk for temporary files has ${gb(free)} free, a private clone needs about ${gb(needed)}`, {
    hint: 'Use a larger runner, point its temporary directory to a larger disk, or give a staging-url.',
  });
}

const settings = (socket: string): string =>
  [
    '',
    "listen_addresses = ''",
    `unix_socket_directories = '${socket.replace(/'/g, "''")}'`,
    'unix_socket_permissions = 0700',
    'port = 5432',
    'max_connections = 80',
    'shared_buffers = 128MB',
    'max_wal_size = 2GB',
    'max_locks_per_transaction = 256',
    'fsync = off',
    'log_min_messages = warning',
    "timezone = 'UTC'",
    '',
  ].join('\n');

async function notStarted(error: unknown, log: string): Promise<unknown> {
  if (!(error instanceof CommandFailed)) return error;
  const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join('; ');
  return new UserError(`the private server did not start: ${error.lastLine}${tail === '' ? '' : ` (${tail})`}`, {
    hint: 'Its directory must lie where an ordinary user can reach it (set TMPDIR or RUNNER_TEMP), and the disk must have room; or give a staging-url.',
    cause: error,
  });
}

/** The ordinary user that a private server runs as when we are root; null when we are an ordinary user ourselves. */
async function serverUser(): Promise<{ readonly uid: number; readonly gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((l) => l.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const found = lines.find((l) => l[0] === name);
    if (found !== undefined) return { uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new UserError('a private server cannot run as root, and there is neither a user postgres nor nobody', {
    hint: 'Run as an ordinary user, or give a staging-url.',
  });
}
