import { readFileSync } from 'node:fs';
import pg from 'pg';
import { parse } from 'pg-connection-string';
import { Aborted, Bug, QueryFailed, UserError } from '../errors.js';
import { hints } from './sqlstate.js';

/** How a server is reached: parsed once, and the same policy for node and for libpq tools (PLATFORM C15: the two disagree about sslmode). */
export interface Target {
  readonly role: 'production' | 'development' | 'staging' | 'private';
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** socket or loopback: never leaves the machine */
  readonly local: boolean;
  /** what is actually used, printed */
  readonly tls: 'off' | 'require' | 'verify-ca' | 'verify-full';
  readonly config: pg.ClientConfig;
  /** PGHOST … PGSSLMODE for libpq tools, and DATABASE_URL */
  readonly env: Readonly<Record<string, string>>;
  /** everything that must never be printed */
  readonly secrets: readonly string[];
}

/** Certificate bundles of the common systems; libpq before 16 has no sslrootcert=system. */
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/**
 * Parses a connection URL and decides TLS. Without sslmode: off on a socket or loopback, `require` elsewhere (encrypted; verified
 * when ssl-ca is given). `prefer` and `allow` are refused: they fall back to plain text silently.
 * Errors: UserError that names the input, never the URL's text.
 */
export function parseTarget(url: string, role: Target['role'], input: string, sslCa: string): Target {
  const bad = (what: string, hint: string): UserError => new UserError(`${input}: ${what}`, { hint });
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(url.replace(/([?&])(sslmode|sslrootcert|channel_binding|sslnegotiation|uselibpqcompat)=[^&]*/g, '$1'));
  } catch {
    throw bad('cannot be read as a connection URL', 'Expected postgres://user:password@host:5432/database; percent-encode special characters of the password.');
  }
  const host = parsed.host ?? '';
  const database = parsed.database ?? '';
  if (!/^postgres(ql)?:\/\//.test(url) || host === '' || database === '')
    throw bad('is not a complete PostgreSQL URL', 'Expected postgres://user:password@host:5432/database.');
  const mode = /[?&]sslmode=([^&]*)/.exec(url)?.[1];
  const local = host.startsWith('/') || ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host);
  if (mode !== undefined && !['disable', 'require', 'verify-ca', 'verify-full', 'no-verify'].includes(mode)) {
    throw bad(`found sslmode=${mode}, which may fall back to plain text`, 'Use sslmode=require, verify-ca, verify-full, or disable on a private network.');
  }
  const tls: Target['tls'] =
    mode === 'disable' || (mode === undefined && local)
      ? 'off'
      : mode === 'verify-ca' || mode === 'verify-full'
        ? mode
        : sslCa !== ''
          ? 'verify-full'
          : 'require';
  const port = Number(parsed.port ?? 5432);
  const user = parsed.user ?? 'postgres';
  const ca = sslCa === '' ? undefined : readCa(sslCa, bad);
  const ssl: pg.ClientConfig['ssl'] =
    tls === 'off'
      ? false
      : tls === 'require'
        ? { rejectUnauthorized: false }
        : { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }), ...(tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}) };
  const rootCert = sslCa !== '' ? sslCa : systemBundles.find((file) => exists(file));
  const env: Record<string, string> = {
    DATABASE_URL: url,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGSSLMODE: tls === 'off' ? 'disable' : tls,
    PGCONNECT_TIMEOUT: '20',
    ...(parsed.password === undefined ? {} : { PGPASSWORD: parsed.password }),
    ...(tls.startsWith('verify') && rootCert !== undefined ? { PGSSLROOTCERT: rootCert } : {}),
  };
  const password = parsed.password ?? '';
  const secrets = [url, password, encodeURIComponent(password), password === '' ? '' : `${user}:${password}`].filter((s) => s !== '');
  return {
    role,
    url,
    host,
    port,
    user,
    database,
    local,
    tls,
    config: {
      host,
      port,
      user,
      database,
      ssl,
      connectionTimeoutMillis: 20_000,
      keepAlive: true,
      // the session that holds the lock is silent for hours; gateways forget silent connections after some minutes
      keepAliveInitialDelayMillis: 30_000,
      ...(parsed.password === undefined ? {} : { password: parsed.password }),
    },
    env,
    secrets,
  };
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

function readCa(file: string, bad: (what: string, hint: string) => UserError): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw bad(`the file of input ssl-ca cannot be read: ${file}`, 'Give the path of a PEM file; for RDS that is global-bundle.pem.');
  }
}

/** What a session is for: decides its timeouts (DECISIONS 23). `reader` is read-only by the server, not by our good will. */
export type SessionKind = 'reader' | 'worker' | 'swap' | 'snapshot' | 'command' | 'lock';

const pinned = {
  search_path: 'pg_catalog',
  row_security: 'off',
  default_transaction_isolation: 'read committed',
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  jit: 'off',
  synchronous_commit: 'on',
  standard_conforming_strings: 'on',
  client_encoding: 'UTF8',
  client_connection_check_interval: '1s',
  idle_session_timeout: '0',
} as const;

const timeouts: Readonly<
  Record<
    SessionKind,
    { statement_timeout: string; lock_timeout: string; idle_in_transaction_session_timeout: string; default_transaction_read_only: 'on' | 'off' }
  >
> = {
  reader: { statement_timeout: '0', lock_timeout: '200ms', idle_in_transaction_session_timeout: '60s', default_transaction_read_only: 'on' },
  worker: { statement_timeout: '0', lock_timeout: '200ms', idle_in_transaction_session_timeout: '60s', default_transaction_read_only: 'off' },
  swap: { statement_timeout: '60s', lock_timeout: '150ms', idle_in_transaction_session_timeout: '1s', default_transaction_read_only: 'off' },
  snapshot: { statement_timeout: '0', lock_timeout: '200ms', idle_in_transaction_session_timeout: '0', default_transaction_read_only: 'on' },
  command: { statement_timeout: '0', lock_timeout: '200ms', idle_in_transaction_session_timeout: '0', default_transaction_read_only: 'off' },
  lock: { statement_timeout: '0', lock_timeout: '200ms', idle_in_transaction_session_timeout: '60s', default_transaction_read_only: 'off' },
};

/** The settings a session of this kind has, in canonical text; a test reads them back. */
export const settingsOf = (kind: SessionKind): Readonly<Record<string, string>> => ({ ...pinned, ...timeouts[kind] });

/** The driver's own array parsers; its types name an enum that has no member for arrays. */
const arrays = pg.types.getTypeParser as unknown as (oid: number) => (v: string) => unknown;

/** int8 as number (our counts are exact below 2^53, else Bug), json parsed, everything else as the server's text. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number) => {
    switch (oid) {
      case 16:
        return (v: string) => v === 't';
      case 20:
        return (v: string) => {
          const n = Number(v);
          if (!Number.isSafeInteger(n)) throw new Bug(`integer ${v} does not fit a number: the query must cast it to text`);
          return n;
        };
      case 21:
      case 23:
      case 26:
      case 700:
      case 701:
        return Number;
      case 114:
      case 3802:
        return (v: string) => JSON.parse(v) as unknown;
      case 1003: // name[]
      case 1009: // text[]
      case 1015: // varchar[]
      case 1005: // int2[]
      case 1007: // int4[]
      case 1016: // int8[]
      case 1028: // oid[]
        return arrays(oid === 1003 ? 1009 : oid === 1028 ? 1007 : oid);
      default:
        return (v: string) => v;
    }
  }) as pg.CustomTypesConfig['getTypeParser'],
};

export interface OpenOptions {
  readonly kind: SessionKind;
  /** shown in pg_stat_activity; starts with `lossless` */
  readonly name: string;
  readonly signal: AbortSignal;
  /** called with the server's notices and warnings */
  readonly onNotice?: (text: string) => void;
  /** called when the connection ends without us having closed it */
  readonly onLost?: () => void;
}

/** Servers that sleep (Neon) need some seconds to wake; a wrong password or database is not retried. */
const connectAttempts = 4;

/**
 * Opens one session: connects (with retry while the server wakes up), pins every setting and reads it back.
 * Errors: UserError for a server that cannot be reached or a setting that does not hold (a transaction pooler).
 */
export async function open(target: Target, options: OpenOptions): Promise<pg.Client> {
  options.signal.throwIfAborted();
  let client = build(target, options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await unlessAborted(client.connect(), options.signal);
      break;
    } catch (error) {
      if (error instanceof Aborted) {
        void client.end().catch(() => undefined);
        throw error;
      }
      const code = (error as { code?: string }).code ?? '';
      const text = error instanceof Error ? error.message : String(error);
      const final = /^(28|3D|42)/.test(code) || code === 'ENOTFOUND' || attempt === connectAttempts || options.signal.aborted;
      if (final) throw unreachable(target, code, text);
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
      client = build(target, options);
    }
  }
  try {
    await pin(client, target, options.kind);
    await refuseTransactionPooler(client, target, options);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

/** A host that drops packets answers after twenty seconds; a cancelled job has seven. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(new Aborted('cancelled while connecting'));
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function build(target: Target, options: OpenOptions): pg.Client {
  const client = new pg.Client({ ...target.config, types, application_name: options.name.slice(0, 63) });
  // A connection that breaks while idle would otherwise be an uncaught exception; the next query on it fails and is classified.
  client.on('error', () => options.onLost?.());
  client.on('notice', (message) => options.onNotice?.(message.message ?? ''));
  return client;
}

function unreachable(target: Target, code: string, text: string): UserError {
  const v6 =
    code === 'ENETUNREACH'
      ? "The host has only an IPv6 address and runners have no IPv6: use the provider's session pooler on port 5432 (Supabase: aws-….pooler.supabase.com:5432)."
      : undefined;
  const hint =
    v6 ??
    hints[code] ??
    (text.includes('does not support SSL')
      ? 'The server has no TLS: add sslmode=disable to the URL if the network is private.'
      : 'Check host, port and the firewall or allow list of the server; nothing was changed.');
  return new UserError(`cannot connect to ${target.role} (${target.host.startsWith('/') ? 'socket' : target.host}:${String(target.port)}): ${text}`, { hint });
}

async function pin(client: pg.Client, target: Target, kind: SessionKind): Promise<void> {
  const wanted = settingsOf(kind);
  const set = Object.entries(wanted)
    .map(([name, value]) => `SET ${name} = ${name === 'search_path' || name === 'datestyle' ? value : pg.escapeLiteral(value)}`)
    .join('; ');
  try {
    await client.query(set);
  } catch (error) {
    throw new UserError(`${target.role}: a session setting was refused: ${(error as Error).message}`, {
      hint: 'Connect directly to the server (PostgreSQL 14 or newer), not through a pooler that filters SET.',
      cause: error,
    });
  }
  const read = await client.query<{ name: string; value: string }>(
    'SELECT n AS name, pg_catalog.current_setting(n) AS value FROM pg_catalog.unnest($1::text[]) n',
    [Object.keys(wanted)],
  );
  const normal = (v: string): string => v.toLowerCase().replace(/^(\d+)s$/, (_a, s: string) => (s === '60' ? '1min' : `${s}s`));
  for (const { name, value } of read.rows) {
    const expected = wanted[name] ?? '';
    if (normal(value) !== normal(expected) && !(expected === '0' && value.startsWith('0'))) {
      throw new UserError(`${target.role}: setting ${name} does not hold: expected "${expected}", found "${value}"`, {
        hint: 'The URL seems to lead through a transaction pooler. Use the direct host (Neon: without -pooler; Supabase: port 5432).',
      });
    }
  }
}

/**
 * A pooler gives its own process id at connect. One that keeps a client on one server connection (session mode) is fine; one that does
 * not would run our SETs, advisory locks and transactions on different servers' sessions. Told apart by trying: another client takes a
 * server connection between two statements of ours, and what we had set must still be there.
 */
async function refuseTransactionPooler(client: pg.Client, target: Target, options: OpenOptions): Promise<void> {
  const pidOf = async (): Promise<number> => (await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
  const first = await pidOf();
  if ((client as unknown as { processID: number }).processID === first) return;
  const other = build(target, options);
  await other.connect();
  try {
    for (let i = 0; i < 3; i += 1) {
      const token = `${String(i)}-${String(Date.now())}`;
      await client.query(`SET lossless.probe = ${pg.escapeLiteral(token)}`);
      await other.query('BEGIN');
      const { rows } = await client.query<{ token: string | null }>("SELECT pg_catalog.current_setting('lossless.probe', true) AS token");
      const kept = rows[0]?.token === token && (await pidOf()) === first;
      await other.query('ROLLBACK');
      if (!kept) {
        throw new UserError(`${target.role}: the URL leads through a transaction pooler: settings and locks of a session do not hold`, {
          hint: 'Use the direct host (Neon: without -pooler; Supabase: port 5432 instead of 6543; PgBouncer: pool_mode=session).',
        });
      }
    }
  } finally {
    await other.end().catch(() => undefined);
  }
}

/** Class 22, data exceptions, quotes the value that did not fit; no row value may be printed. */
const withoutValues = (code: string, message: string): string => (code.startsWith('22') ? message.replace(/"[\s\S]*"/g, '(value not shown)') : message);

/** A QueryFailed from what the driver threw; a broken connection gets the code the driver gave. */
export function queryFailed(query: string, error: unknown): QueryFailed | Aborted {
  if (error instanceof QueryFailed || error instanceof Aborted) return error;
  const e = error as Partial<pg.DatabaseError> & { code?: string };
  const code = e.code ?? (/terminated|ended|closed/i.test(e.message ?? '') ? '08006' : '');
  const hint = hints[code] ?? e.hint;
  const detail = [
    withoutValues(code, e.message ?? String(error)),
    e.table === undefined ? '' : `table ${e.table}`,
    e.constraint === undefined ? '' : `constraint ${e.constraint}`,
  ]
    .filter((s) => s !== '')
    .join(', ');
  return new QueryFailed(query, code, detail, { cause: error, ...(hint === undefined ? {} : { hint }) });
}
