import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startWriters } from '../../../examples/bazaar-vid/writers.mjs';
import { exportsPlan, prepareJourney, type Journey } from '../../support/journey.js';
import { expectCode, schemaText, terminal } from '../../support/terminal.js';

/** What a cut-over may cost a client, counted: a retry, a named statement whose types changed, a key that the plan adds. */
const fair = /^(40001|40P01|0A000|42883|42804|23503 (exports_user_fk|exports_project_fk|export_analytics_export_fk))$/;
const maxLockMs = 1000;

let journey: Journey;
beforeAll(async () => {
  journey = await prepareJourney({ plan: exportsPlan, which: 'production' });
}, 300_000);
afterAll(async () => {
  // undefined when the preparation failed
  await (journey as Journey | undefined)?.remove();
});

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

describe('eight clients write through migration and rollback', () => {
  test('no acknowledged write is lost, every error is one that was announced, and nobody waits longer than max-lock', async () => {
    const url = await journey.production('written');
    const start = await schemaText(journey.cluster.bin, url);
    const writers = await startWriters(url, { clients: 8, rate: 300, seed: 20261122 });
    await pause(1500);
    const migrated = await terminal('migrate', { plan: journey.plan, store: journey.store, inputs: journey.inputs(url) });
    expectCode(migrated, 0);
    await pause(2500);
    await writers.pause();
    expect((await writers.verify(url)).lost).toEqual([]);
    writers.resume();
    await pause(1500);
    const watched = await terminal('watch', { store: journey.store, inputs: { 'production-url': url } });
    expectCode(watched, 0);
    const status = await terminal('status', { store: journey.store, inputs: { 'production-url': url } });
    expectCode(status, 0);
    expect(status.out).toMatch(/INSERT INTO public\."bazaar-vid_exports" \(.*\) OVERRIDING SYSTEM VALUE SELECT id::uuid, user_id::character varying\(255\)/);
    const rolled = await terminal('rollback', { store: journey.store, inputs: { 'production-url': url, confirm: migrated.outputs['run'] ?? '' } });
    expectCode(rolled, 0);
    await pause(1500);
    const summary = await writers.stop();
    const proof = await writers.verify(url);
    console.log(
      `longest stall ${String(summary.maxStallMs)} ms, p99 ${String(summary.p99Ms)} ms, ${String(summary.acknowledged)} acknowledged, errors ${JSON.stringify(summary.errors)}`,
    );
    expect(proof.lost).toEqual([]);
    expect(summary.acknowledged).toBeGreaterThan(500);
    expect(Object.keys(summary.errors).filter((e) => !fair.test(e))).toEqual([]);
    expect(summary.maxStallMs).toBeLessThanOrEqual(maxLockMs);
    expect(await schemaText(journey.cluster.bin, url)).toBe(start);
  }, 180_000);
});
