import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { startWriters } from '../../../examples/bazaar-vid/writers.mjs';
import { exportsPlan, prepareJourney, type Journey } from '../../support/journey.js';
import { expectCode, schemaText, terminal } from '../../support/terminal.js';

/**
 * The process is ended after every journal write of the step, and around the swap message; then it is run again, or rolled back. Afterwards
 * every write that the application got acknowledged is there, and the schema is that of the start or of the end, never another.
 */
const step = 'exports-types';
const killer = resolve(import.meta.dirname, '../../support/killed-run.mjs');
let journey: Journey;
let start: string;
let end: string;
/** journal writes of the step in an undisturbed migration: how many kills there are to try */
let writes = 0;

beforeAll(async () => {
  journey = await prepareJourney({ plan: exportsPlan, which: 'production' });
  start = await schemaText(journey.cluster.bin, journey.cluster.url('template'));
  const url = await journey.production('whole');
  const counted = join(journey.dir, 'events.json');
  const whole = await terminal('migrate', { plan: journey.plan, store: journey.store, script: killer, scriptArgs: [counted], inputs: journey.inputs(url) });
  if (whole.code !== 0) throw new Error(whole.out);
  end = await schemaText(journey.cluster.bin, url);
  writes = (JSON.parse(readFileSync(counted, 'utf8')) as { type: string; step: string }[]).filter(
    (e) => e.type === 'journal-written' && e.step === step,
  ).length;
}, 300_000);

afterAll(async () => {
  // undefined when the preparation failed
  await (journey as Journey | undefined)?.remove();
});

interface Kill {
  readonly signal: 'SIGKILL' | 'SIGINT';
  readonly type: 'journal-written' | 'swap';
  readonly nth: number;
  readonly moment?: 'before' | 'sent' | 'after';
}

async function attack(name: string, kill: Kill, then: 'migrate again' | 'roll back'): Promise<void> {
  const { plan, store } = journey;
  const url = await journey.production(name);
  const writers = await startWriters(url, { clients: 4, rate: 120, seed: kill.nth });
  let run: string | null;
  try {
    const ended = await terminal('migrate', { plan, store, script: killer, inputs: journey.inputs(url), env: { KILL: JSON.stringify({ ...kill, step }) } });
    // SIGKILL must have ended it; SIGINT may come when nothing is left to cancel
    expect(kill.signal === 'SIGKILL' ? [ended.signal] : [3, 0]).toContain(kill.signal === 'SIGKILL' ? 'SIGKILL' : ended.code);
    run = await openRun(url);
    if (then === 'migrate again' || run === null) {
      const again = await terminal('migrate', { plan, store, inputs: journey.inputs(url) });
      expectCode(again, 0);
    } else {
      const back = await terminal('rollback', { store, inputs: { 'production-url': url, confirm: run } });
      expectCode(back, 0);
    }
  } finally {
    await writers.stop();
  }
  const proof = await writers.verify(url);
  expect(proof.lost).toEqual([]);
  const schema = await schemaText(journey.cluster.bin, url);
  expect({ name, schema }).toEqual({ name, schema: then === 'roll back' && run !== null ? start : end });
  await journey.cluster.drop(name);
}

async function openRun(url: string): Promise<string | null> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass('lossless.run') IS NOT NULL AS found");
    if (rows[0]?.found !== true) return null;
    const runs = await client.query<{ id: string }>("SELECT id FROM lossless.run WHERE state IN ('migrating', 'migrated', 'failed')");
    return runs.rows[0]?.id ?? null;
  } finally {
    await client.end();
  }
}

describe('a process that is ended loses nothing', () => {
  test('after every journal write of the step, by SIGKILL and by SIGINT in turn, then migrated again or rolled back in turn', async () => {
    expect(writes).toBeGreaterThan(5);
    for (let nth = 1; nth <= writes; nth += 1) {
      await attack(`killed_${String(nth)}`, { signal: 'SIGKILL', type: 'journal-written', nth }, nth % 2 === 0 ? 'migrate again' : 'roll back');
      await attack(`interrupted_${String(nth)}`, { signal: 'SIGINT', type: 'journal-written', nth }, nth % 2 === 0 ? 'roll back' : 'migrate again');
    }
  }, 1_200_000);

  test.each([
    ['SIGKILL', 'before', 'migrate again'],
    ['SIGKILL', 'before', 'roll back'],
    ['SIGINT', 'before', 'migrate again'],
    ['SIGINT', 'before', 'roll back'],
    ['SIGKILL', 'sent', 'migrate again'],
    ['SIGKILL', 'sent', 'roll back'],
    ['SIGINT', 'sent', 'migrate again'],
    ['SIGINT', 'sent', 'roll back'],
    ['SIGKILL', 'after', 'migrate again'],
    ['SIGKILL', 'after', 'roll back'],
    ['SIGINT', 'after', 'migrate again'],
    ['SIGINT', 'after', 'roll back'],
  ] as const)(
    'T19 %s %s the swap message, then %s',
    async (signal, moment, then) => {
      await attack(`swap_${signal}_${moment}_${then}`.toLowerCase().replace(/\W/g, '_'), { signal, type: 'swap', nth: 1, moment }, then);
    },
    180_000,
  );
});
