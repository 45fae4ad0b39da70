import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { Aborted, LockNotGranted, QueryFailed, UserError } from '../../../src/errors.js';
import { parseTarget, settingsOf, type SessionKind } from '../../../src/pg/connect.js';
import { connect, type Db, type DbOptions } from '../../../src/pg/db.js';
import { fromPlan } from '../../../src/pg/render.js';
import type { Event } from '../../../src/report/event.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { pgbouncerMissing, startPgbouncer } from '../../support/pgbouncer.js';

let cluster: Cluster;
let url: string;
const closes: (() => Promise<void>)[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  url = await cluster.create('sessions');
});
afterAll(async () => {
  await Promise.all(closes.map((close) => close()));
  await cluster.remove();
});

const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((r) => setTimeout(r, ms)) };

async function session(kind: SessionKind, more: Partial<DbOptions> = {}): Promise<Db> {
  const target = parseTarget(url, 'production', 'production-url', '');
  const { db, close } = await connect(target, kind, {
    report: () => undefined,
    signal: new AbortController().signal,
    clock,
    name: `lossless test ${kind}`,
    ...more,
  });
  closes.push(close);
  return db;
}

async function holding<T>(sql: string, work: (pid: number) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'slow report' });
  await client.connect();
  try {
    await client.query(`BEGIN; ${sql}`);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return await work(rows[0]!.pid);
  } finally {
    await client.query('ROLLBACK');
    await client.end();
  }
}

describe('sessions', () => {
  test.each<SessionKind>(['reader', 'worker', 'swap', 'snapshot', 'command', 'lock'])(
    'every setting of a %s session holds when it is read back',
    async (kind) => {
      const db = await session(kind);
      for (const [name, value] of Object.entries(settingsOf(kind))) {
        const [row] = await db.select<{ same: boolean }>(
          fromPlan(`SELECT lower(current_setting($1)) = lower(CASE WHEN $2 = '60s' THEN '1min' ELSE $2 END) AS same`),
          [name, value],
        );
        expect({ name, same: row?.same }).toEqual({ name, same: true });
      }
    },
  );

  test('a reader cannot write, whatever it tries', async () => {
    const db = await session('reader');
    await expect(db.script('CREATE TABLE public.t ()', { file: 'x.sql' })).rejects.toMatchObject({ sqlstate: '25006' });
  });

  test('a wrong database, a wrong scheme and a weak sslmode are refused with the input named', async () => {
    expect(() => parseTarget('mysql://a@b/c', 'production', 'production-url', '')).toThrow(UserError);
    expect(() => parseTarget('postgres://a:secret@db.example/x?sslmode=prefer', 'production', 'production-url', '')).toThrow(
      /production-url: found sslmode=prefer/,
    );
    const target = parseTarget(cluster.url('nowhere'), 'staging', 'staging-url', '');
    await expect(connect(target, 'reader', { report: () => undefined, signal: new AbortController().signal, clock, name: 'lossless' })).rejects.toThrow(
      /cannot connect to staging/,
    );
  });

  test('TLS is decided once: off on loopback, encrypted elsewhere, verified with a CA or when asked', () => {
    const tls = (text: string): string => parseTarget(text, 'production', 'production-url', '').tls;
    expect(tls('postgres://a@localhost/x')).toBe('off');
    expect(tls('postgres://a@db.example/x')).toBe('require');
    expect(tls('postgres://a@db.example/x?sslmode=verify-full')).toBe('verify-full');
    expect(tls('postgres://a@db.example/x?sslmode=disable')).toBe('off');
    const target = parseTarget('postgres://a:p%40ss@db.example:6000/x?sslmode=require&channel_binding=require', 'production', 'production-url', '');
    expect(target.env).toMatchObject({ PGHOST: 'db.example', PGPORT: '6000', PGSSLMODE: 'require', PGPASSWORD: 'p@ss' });
    expect(target.secrets).toEqual(expect.arrayContaining(['p@ss', 'p%40ss']));
  });
});

const missing = pgbouncerMissing();
// eslint-disable-next-line jest/valid-title -- a test that is not run says why in its name
describe(missing === null ? 'poolers' : `poolers (not run: ${missing})`, () => {
  test('a transaction pooler is found out by trying and refused; a session pooler is not', async () => {
    // where CI runs, PgBouncer can be installed
    if (missing !== null && process.env['CI'] === undefined) return;
    for (const mode of ['transaction', 'session'] as const) {
      const bouncer = await startPgbouncer(cluster, mode, 'sessions');
      try {
        const target = parseTarget(bouncer.url, 'production', 'production-url', '');
        const opened = connect(target, 'worker', { report: () => undefined, signal: new AbortController().signal, clock, name: 'lossless' });
        if (mode === 'transaction') await expect(opened).rejects.toThrow(/transaction pooler/);
        else await (await opened).close();
      } finally {
        await bouncer.stop();
      }
    }
  });
});

describe('locks', () => {
  test('a lock that does not come is retried within the patience, and then its blocker is named', async () => {
    const events: Event[] = [];
    const db = await session('worker', { patienceMs: 1500, report: (e) => events.push(e) });
    await db.script('CREATE TABLE public.held (a int)', { file: 'x.sql' });
    await holding('LOCK TABLE public.held IN ACCESS SHARE MODE', async (pid) => {
      const failure = await db
        .message([fromPlan('BEGIN'), fromPlan('LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE'), fromPlan('COMMIT')])
        .catch((e: unknown) => e);
      expect(failure).toBeInstanceOf(LockNotGranted);
      expect((failure as LockNotGranted).blockers.join()).toContain(`pid ${String(pid)} (slow report), idle in transaction`);
      expect((failure as LockNotGranted).more.hint).toMatch(/Nothing was changed/);
    });
    expect(events.filter((e) => e.type === 'lock-refused').length).toBeGreaterThan(1);
    await db.message([fromPlan('BEGIN'), fromPlan('LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE'), fromPlan('COMMIT')]);
  });

  test('a transaction that failed retryably is run again and nothing of the first attempt stays', async () => {
    const db = await session('worker');
    let attempts = 0;
    await db.script('CREATE TABLE public.tries (n int)', { file: 'x.sql' });
    await db.transaction(async (tx) => {
      attempts += 1;
      await tx.script(`INSERT INTO public.tries VALUES (${String(attempts)})`, { file: 'x.sql' });
      if (attempts === 1) await tx.script(`DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$`, { file: 'x.sql' });
    });
    expect(await db.select(fromPlan('SELECT n FROM public.tries'))).toEqual([{ n: 2 }]);
  });
});

describe('errors and cancelling', () => {
  test("an error in the author's SQL points at file, line and column", async () => {
    const db = await session('worker');
    const failure = await db.script('SELECT 1;\nSELECT wrong FROM nowhere', { file: 'backfill.sql', line: 1 }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(QueryFailed);
    expect((failure as QueryFailed).more.at).toMatchObject({ file: 'backfill.sql', line: 2 });
    expect((failure as QueryFailed).message).toMatch(/SELECT wrong FROM nowhere\n\s+\^/);
  });

  test('an aborted signal cancels the statement on the server within a second', async () => {
    const abort = new AbortController();
    const db = await session('worker', { signal: abort.signal });
    const started = Date.now();
    const sleeping = db.select(fromPlan('SELECT pg_sleep(60)'));
    setTimeout(() => abort.abort(), 200);
    await expect(sleeping).rejects.toBeInstanceOf(Aborted);
    expect(Date.now() - started).toBeLessThan(5000);
    const { rows } = await cluster.admin(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()",
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('a stream yields batches inside a transaction', async () => {
    const db = await session('reader');
    const sizes: number[] = [];
    await db.transaction(async (tx) => {
      for await (const rows of tx.stream<{ n: number }>('catalog/server', {}, 10)) sizes.push(rows.length);
    });
    expect(sizes).toEqual([1]);
  });
});
