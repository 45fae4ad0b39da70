import pg from 'pg';
import Cursor from 'pg-cursor';
import { Aborted, Bug, LockNotGranted, QueryFailed } from '../errors.js';
import type { Where } from '../finding.js';
import type { SqlName } from '../generated/sql.js';
import type { Clock, Report } from '../ports.js';
import { open, queryFailed, type SessionKind, type Target } from './connect.js';
import { literal, render, type Sql, type SqlArgs } from './render.js';
import { isConnectionLost, isRetryable } from './sqlstate.js';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export interface TransactionOptions {
  readonly isolation?: Isolation;
  readonly readOnly?: boolean;
  /** SET LOCAL lock_timeout; DECISIONS 23: at most 200 ms, 3 s only where REBUILD says so */
  readonly lockTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  /** run `work` again when the attempt failed retryably (lock, deadlock, serialization); default true. `work` must be repeatable. */
  readonly retry?: boolean;
  /** imported snapshot (pg_export_snapshot of a `snapshot` session); needs repeatable read */
  readonly snapshot?: string;
}

/** Reading only: what preflight and verify get (Step law 1). */
export interface ReadDb {
  readonly target: Target;
  /** backend pid of this session */
  readonly pid: number;
  /** server_version_num, e.g. 150020 */
  readonly version: number;
  rows<Row>(query: SqlName, args?: SqlArgs): Promise<Row[]>;
  /** exactly one row, else Bug */
  one<Row>(query: SqlName, args?: SqlArgs): Promise<Row>;
  /** Row batches through a cursor: constant memory whatever the size. Must run inside `transaction`. */
  stream<Row>(query: SqlName, args: SqlArgs, batch: number): AsyncIterable<readonly Row[]>;
  /** the plan author's or catalog-built SELECT, not from a file: verify.queries, drafted counts */
  select<Row>(text: Sql, values?: readonly unknown[]): Promise<Row[]>;
}

/** One session of a database. Identifier quoting, lock policy, retry, cancellation and error classification live here and nowhere else. */
export interface Db extends ReadDb {
  /** Writes, may lock. Outside a transaction: bounded, jittered retry when the lock does not come. Returns the rows affected. */
  change(query: SqlName, args?: SqlArgs): Promise<number>;
  /** The plan author's SQL, with their file and line for error messages. Never retried. */
  script(text: string, from: Where): Promise<void>;
  /** ONE simple-query message: all parts in one round trip; retried as a whole like `change`. The parts bring their own BEGIN and COMMIT. */
  message(parts: readonly Sql[], options?: { readonly retry?: boolean; readonly about?: string; readonly patienceMs?: number }): Promise<void>;
  transaction<T>(work: (tx: Db) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** A further connection with the settings of `kind`, closed afterwards. */
  session<T>(kind: SessionKind, work: (db: Db) => Promise<T>): Promise<T>;
}

export interface DbOptions {
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** application_name; `lossless <run or phase>` */
  readonly name: string;
  /** total time that retries of one change may take before the blockers are named; default 60 s */
  readonly patienceMs?: number;
  /** called when the connection ends without us having closed it: a session that holds the run's lock has lost it */
  readonly onLost?: () => void;
}

/** Opens a database session of `kind`; `close` ends it. Cancelling the signal cancels the running statement on the server. */
export async function connect(target: Target, kind: SessionKind, options: DbOptions): Promise<{ db: Db; close: () => Promise<void> }> {
  const client = await open(target, { kind, name: options.name, signal: options.signal, ...(options.onLost === undefined ? {} : { onLost: options.onLost }) });
  const session = new Session(client, target, options);
  const onAbort = (): void => void session.cancel();
  options.signal.addEventListener('abort', onAbort);
  return {
    db: await session.ready(),
    close: async () => {
      options.signal.removeEventListener('abort', onAbort);
      await session.close();
    },
  };
}

class Session implements Db {
  version = 0;
  pid = 0;
  private depth = 0;
  private busy = false;
  constructor(
    private readonly client: pg.Client,
    readonly target: Target,
    private readonly options: DbOptions,
  ) {}

  async ready(): Promise<this> {
    const { rows } = await this.client.query<{ version: string; pid: number }>(
      "SELECT pg_catalog.current_setting('server_version_num') AS version, pg_catalog.pg_backend_pid() AS pid",
    );
    this.version = Number(rows[0]?.version);
    this.pid = rows[0]?.pid ?? 0;
    return this;
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }

  /** Cancels what the server is doing for us. A new connection, because the protocol's own cancel has no way to report failure. */
  async cancel(): Promise<void> {
    if (!this.busy) return;
    const side = new pg.Client({ ...this.target.config, application_name: `${this.options.name} cancel`.slice(0, 63) });
    side.on('error', () => undefined);
    try {
      await side.connect();
      await side.query('SELECT pg_catalog.pg_cancel_backend($1)', [this.pid]);
    } catch {
      // the server notices the closed connection by client_connection_check_interval
    } finally {
      await side.end().catch(() => undefined);
    }
  }

  private async send<Row extends pg.QueryResultRow>(label: string, text: string, values?: readonly unknown[]): Promise<pg.QueryResult<Row>> {
    if (this.options.signal.aborted) throw aborted();
    this.busy = true;
    try {
      return values === undefined ? await this.client.query<Row>(text) : await this.client.query<Row>(text, [...values]);
    } catch (error) {
      if (isAborted(this.options.signal)) throw aborted(error);
      if (error instanceof Bug) throw error;
      throw queryFailed(label, error);
    } finally {
      this.busy = false;
    }
  }

  async rows<Row>(query: SqlName, args: SqlArgs = {}): Promise<Row[]> {
    return (await this.send(query, render(query, args), args.values ?? [])).rows as Row[];
  }

  async one<Row>(query: SqlName, args: SqlArgs = {}): Promise<Row> {
    const rows = await this.rows<Row>(query, args);
    if (rows.length !== 1) throw new Bug(`sql/${query}.sql: expected one row, found ${String(rows.length)}`);
    return rows[0] as Row;
  }

  async select<Row>(text: Sql, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.send('select', text, values)).rows as Row[];
  }

  async *stream<Row>(query: SqlName, args: SqlArgs, batch: number): AsyncIterable<readonly Row[]> {
    if (this.depth === 0) throw new Bug(`sql/${query}.sql: stream outside a transaction`);
    const cursor = this.client.query(new Cursor<Row>(render(query, args), [...(args.values ?? [])]));
    try {
      for (;;) {
        if (this.options.signal.aborted) throw aborted();
        const rows = await cursor.read(batch).catch((error: unknown) => {
          throw queryFailed(query, error);
        });
        if (rows.length === 0) return;
        yield rows;
      }
    } finally {
      await cursor.close().catch(() => undefined);
    }
  }

  async change(query: SqlName, args: SqlArgs = {}): Promise<number> {
    const text = render(query, args);
    const once = async (): Promise<number> => (await this.send(query, text, args.values ?? (hasManyStatements(text) ? undefined : []))).rowCount ?? 0;
    return this.depth > 0 ? once() : this.patiently(query, once);
  }

  async script(text: string, from: Where): Promise<void> {
    try {
      await this.send(from.file, text);
    } catch (error) {
      throw error instanceof QueryFailed ? located(error, text, from) : error;
    }
  }

  async message(parts: readonly Sql[], options: { readonly retry?: boolean; readonly about?: string; readonly patienceMs?: number } = {}): Promise<void> {
    if (this.depth > 0) throw new Bug('a message brings its own transaction');
    const text = parts.map((part) => part.trimEnd().replace(/;$/, '')).join(';\n');
    const label = options.about ?? 'message';
    const once = async (): Promise<void> => {
      try {
        await this.send(label, text);
      } catch (error) {
        // the server stays in the failed transaction block until told; on a lost connection there is nothing to tell
        if (!(error instanceof QueryFailed && isConnectionLost(error.sqlstate))) await this.client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    };
    await (options.retry === false ? once() : this.patiently(label, once, options.patienceMs));
  }

  async transaction<T>(work: (tx: Db) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (this.depth > 0) throw new Bug('transactions do not nest');
    const once = async (): Promise<T> => {
      const begin = [
        `BEGIN ISOLATION LEVEL ${(options.isolation ?? 'read committed').toUpperCase()}${options.readOnly === true ? ' READ ONLY' : ''}`,
        ...(options.snapshot === undefined ? [] : [`SET TRANSACTION SNAPSHOT ${literal(options.snapshot)}`]),
        ...(options.lockTimeoutMs === undefined ? [] : [`SET LOCAL lock_timeout = ${String(options.lockTimeoutMs)}`]),
        ...(options.statementTimeoutMs === undefined ? [] : [`SET LOCAL statement_timeout = ${String(options.statementTimeoutMs)}`]),
      ].join('; ');
      await this.send('begin', begin);
      this.depth = 1;
      try {
        const result = await work(this);
        this.depth = 0;
        await this.send('commit', 'COMMIT');
        return result;
      } catch (error) {
        this.depth = 0;
        await this.client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    };
    return options.retry === false ? once() : this.patiently('transaction', once);
  }

  async session<T>(kind: SessionKind, work: (db: Db) => Promise<T>): Promise<T> {
    const { report, signal, clock, name, patienceMs } = this.options;
    const { db, close } = await connect(this.target, kind, { report, signal, clock, name, ...(patienceMs === undefined ? {} : { patienceMs }) });
    try {
      return await work(db);
    } finally {
      await close();
    }
  }

  /** Bounded, jittered retry of something that leaves nothing behind when it fails retryably. Names the blockers in the end. */
  private async patiently<T>(label: string, once: () => Promise<T>, patienceMs?: number): Promise<T> {
    const patience = patienceMs ?? this.options.patienceMs ?? 60_000;
    const start = Date.now();
    let blockers: readonly string[] = [];
    for (let attempt = 1; ; attempt += 1) {
      const watch = attempt > 1 ? this.watchBlockers((seen) => (blockers = seen)) : undefined;
      try {
        return await once();
      } catch (error) {
        if (!(error instanceof QueryFailed) || !isRetryable(error.sqlstate)) throw error;
        await watch?.();
        this.options.report({ type: 'lock-refused', query: label, attempt, blockers });
        if (Date.now() - start > patience) {
          throw new LockNotGranted(
            label,
            blockers,
            `gave up after ${String(attempt)} attempts in ${String(Math.round((Date.now() - start) / 1000))} s: ${error.message}`,
            {
              hint:
                blockers.length === 0
                  ? 'Nothing was changed. Run again when the database is less busy.'
                  : `Nothing was changed. In the way: ${blockers.join('; ')}. End them or wait, then run again.`,
              cause: error,
            },
          );
        }
        await this.options.clock.sleep(Math.min(50 * 2 ** Math.min(attempt, 6), 2000) * (0.5 + Math.random()), this.options.signal);
      } finally {
        await watch?.();
      }
    }
  }

  /** Looks, 80 ms into an attempt, at who blocks it. Returns the function that stops looking. */
  private watchBlockers(found: (blockers: readonly string[]) => void): () => Promise<void> {
    let done: Promise<void> | null = null;
    const timer = setTimeout(() => {
      done = this.blockers().then(found, () => undefined);
    }, 80);
    return async () => {
      clearTimeout(timer);
      await done;
    };
  }

  private async blockers(): Promise<readonly string[]> {
    const side = await open(this.target, { kind: 'reader', name: `${this.options.name} blockers`, signal: this.options.signal });
    try {
      const text = `SELECT a.pid, coalesce(a.application_name, '') AS app, coalesce(a.state, 'prepared transaction') AS state, coalesce(extract(epoch FROM now() - a.xact_start)::int, 0) AS seconds
        FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) b(pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid`;
      const { rows } = await side.query<{ pid: number | null; app: string; state: string; seconds: number }>(text, [this.pid]);
      return rows.map((r) => `pid ${String(r.pid ?? 0)}${r.app === '' ? '' : ` (${r.app})`}, ${r.state}, in transaction for ${String(r.seconds)} s`);
    } finally {
      await side.end().catch(() => undefined);
    }
  }
}

/** A function, because the compiler takes the property's earlier value for its present one. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

const aborted = (cause?: unknown): Aborted =>
  new Aborted('cancelled', {
    hint: 'What was done is in the journal: run the phase again to continue, or roll back.',
    ...(cause === undefined ? {} : { cause }),
  });

/** Files of several statements cannot go through the extended protocol; they take no values. */
const hasManyStatements = (text: string): boolean => /;\s*\S/.test(text.replace(/--[^\n]*/g, '').replace(/\$(\w*)\$[\s\S]*?\$\1\$/g, ''));

/** Points into the user's file: line, column, the line and a caret. PostgreSQL counts positions in characters, from 1. */
function located(error: QueryFailed, text: string, from: Where): QueryFailed {
  const position = Number((error.more.cause as { position?: string } | undefined)?.position ?? 0);
  if (position === 0) return new QueryFailed(error.query, error.sqlstate, error.message, { ...error.more, at: from });
  const before = Array.from(text)
    .slice(0, position - 1)
    .join('');
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  const excerpt = text.split('\n')[line - 1] ?? '';
  return new QueryFailed(error.query, error.sqlstate, `${error.message}\n  ${excerpt}\n  ${' '.repeat(column - 1)}^`, {
    ...error.more,
    at: { file: from.file, line: (from.line ?? 1) + line - 1, column },
  });
}
