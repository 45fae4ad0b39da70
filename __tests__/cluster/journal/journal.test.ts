import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LockNotGranted } from '../../../src/errors.js';
import { Journal, lockHolders, newRunId, tryLock, unlock, waitForBackends } from '../../../src/journal/journal.js';
import { parseTarget } from '../../../src/pg/connect.js';
import { connect, type Db } from '../../../src/pg/db.js';
import type { Event } from '../../../src/report/event.js';
import { startCluster, type Cluster } from '../../support/cluster.js';

let cluster: Cluster;
let url: string;
const closes: (() => Promise<void>)[] = [];
const events: Event[] = [];
let at = new Date('2026-01-01T00:00:00Z');
const clock = { now: () => at, sleep: (ms: number) => new Promise<void>((r) => setTimeout(r, Math.min(ms, 10))) };

beforeAll(async () => {
  cluster = await startCluster();
  url = await cluster.create('journal');
});
afterAll(async () => {
  await Promise.all(closes.map((close) => close()));
  await cluster.remove();
});

async function open(name = 'lossless test'): Promise<Db> {
  const { db, close } = await connect(parseTarget(url, 'production', 'production-url', ''), 'worker', {
    report: (e) => events.push(e),
    signal: new AbortController().signal,
    clock,
    name,
  });
  closes.push(close);
  return db;
}

const begin = async (journal: Journal, run: string): Promise<void> =>
  journal.begin(
    {
      id: run,
      database: 'production',
      databases: ['production', 'development'],
      planName: 'p',
      planDigest: 'd'.repeat(64),
      planFile: 'plan.yml',
      fingerprint: 'f',
      allow: ['keep-x'],
      maxLockMs: 1000,
      retentionMs: 7 * 86_400_000,
      approved: { a: { 'public.t.fk': 2 } },
      toolVersion: '0',
      actor: 'someone',
      commit: 'c',
      workflowRun: '1',
    },
    [
      {
        no: 1,
        id: 'a',
        kind: 'sql',
        database: 'production',
        spec: { file: 'a.sql' },
        holds: { relations: [{ schema: 'public', name: 't' }], schemas: [], anything: true },
      },
    ],
    { rehearsal: { ok: true } },
    new Map([
      ['', Buffer.from('name: p')],
      ['a.sql', Buffer.from([0, 1, 2, 255])],
    ]),
  );

describe('the journal', () => {
  test('reading a database that has none finds no run and creates nothing', async () => {
    const db = await open();
    expect(await Journal.readRuns(db)).toEqual([]);
    expect(await Journal.exists(db)).toBe(false);
  });

  test('a run is read back as it was begun, with steps, evidence and the bytes of its files', async () => {
    const db = await open();
    const journal = new Journal(db, clock, (e) => events.push(e));
    await journal.create();
    await journal.create();
    const run = newRunId();
    await begin(journal, run);
    const row = (await journal.runs()).find((r) => r.id === run);
    expect(row).toMatchObject({
      state: 'migrating',
      databases: ['production', 'development'],
      allow: ['keep-x'],
      approved: { a: { 'public.t.fk': 2 } },
      startedAt: '2026-01-01T00:00:00.000Z',
      maintenanceOn: false,
    });
    expect(await journal.steps(run)).toMatchObject([{ id: 'a', kind: 'sql', state: 'planned', receipt: null, spec: { file: 'a.sql' } }]);
    expect(await Journal.readEvidence(db, run)).toEqual({ rehearsal: { ok: true } });
    expect([...(await Journal.readFiles(db, run)).get('a.sql')!]).toEqual([0, 1, 2, 255]);
  });

  test('a receipt is durable when save resolves, its history stays, and every write is announced', async () => {
    const db = await open();
    const journal = new Journal(db, clock, (e) => events.push(e));
    const run = newRunId();
    await begin(journal, run);
    events.length = 0;
    const slot = journal.slot(run, 'a', null);
    await slot.save({ state: 'one' });
    await slot.save({ state: 'two' });
    expect(slot.last).toEqual({ state: 'two' });
    expect((await journal.steps(run))[0]?.receipt).toEqual({ state: 'two' });
    const { rows } = await cluster.admin(`SELECT no, receipt FROM lossless.receipt WHERE run = '${run}' ORDER BY no`, 'journal');
    expect(rows).toEqual([
      { no: 1, receipt: { state: 'one' } },
      { no: 2, receipt: { state: 'two' } },
    ]);
    expect(events).toEqual([
      { type: 'journal-written', what: 'receipt', step: 'a' },
      { type: 'journal-written', what: 'receipt', step: 'a' },
    ]);
  });

  test('retention counts from the moment of migration by the clock given, and a rollback begins it anew', async () => {
    const db = await open();
    const journal = new Journal(db, clock, () => undefined);
    const run = newRunId();
    at = new Date('2026-02-01T12:00:00Z');
    await begin(journal, run);
    await journal.runState(run, 'migrated');
    expect((await journal.runs()).find((r) => r.id === run)?.retainUntil).toBe('2026-02-08T12:00:00.000Z');
    at = new Date('2026-02-03T12:00:00Z');
    await journal.runState(run, 'rolling-back');
    await journal.runState(run, 'rolled-back');
    expect((await journal.runs()).find((r) => r.id === run)).toMatchObject({
      retainUntil: '2026-02-10T12:00:00.000Z',
      rolledBackAt: '2026-02-03T12:00:00.000Z',
    });
  });

  test('the last watch is the newest one', async () => {
    const db = await open();
    const journal = new Journal(db, clock, () => undefined);
    const run = newRunId();
    await begin(journal, run);
    await journal.watched(run, { outcome: 'red', backlog: 3, body: {} });
    at = new Date(at.getTime() + 86_400_000);
    await journal.watched(run, { outcome: 'green', backlog: 0, body: { blocking: 0 } });
    expect(await Journal.lastWatch(db, run)).toMatchObject({ outcome: 'green', backlog: 0, at: at.toISOString() });
  });
});

describe('the lock of a database', () => {
  test('only one session has it, the other learns who, and it is free when the session ends or gives it back', async () => {
    const [one, two] = [await open('lossless one'), await open('lossless two')];
    expect(await tryLock(one, 'run')).toBeNull();
    expect(await tryLock(two, 'run')).toMatch(/^pid \d+ \(lossless one, connected since /);
    expect(await lockHolders(two, 'wish')).toEqual([]);
    await unlock(one, 'run');
    expect(await tryLock(two, 'run')).toBeNull();
    await unlock(two, 'run');
  });

  test('a run is not continued while a backend of its former process is alive, and the backend is named', async () => {
    const run = newRunId();
    await open(`lossless ${run}`);
    const db = await open();
    const failure = await waitForBackends(db, run, [], clock, new AbortController().signal).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(LockNotGranted);
    expect((failure as LockNotGranted).blockers.join()).toContain(`lossless ${run}`);
    await waitForBackends(db, newRunId(), [], clock, new AbortController().signal);
  });
});
