import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from '../../../examples/bazaar-vid/fixture.mjs';
import { startWriters } from '../../../examples/bazaar-vid/writers.mjs';
import { startCluster, type Cluster } from '../../support/cluster.js';

let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writers-'));
  cluster = await startCluster();
  await build(await cluster.create('template'), 'production');
});
afterAll(async () => {
  await cluster.remove();
  rmSync(folder, { recursive: true });
});

const aWhile = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("the application's writers, which judge everything else", () => {
  test('find every acknowledged write again, and log each', async () => {
    const url = await cluster.create('still', 'template');
    const log = join(folder, 'acknowledged.ndjson');
    const writers = await startWriters(url, { clients: 8, rate: 0, log });
    await aWhile(1500);
    await writers.pause();
    const midway = await writers.verify(url);
    expect(midway.lost).toEqual([]);
    writers.resume();
    const everyKind = 17;
    for (let i = 0; i < 100 && Object.keys(writers.summary().operations).length < everyKind; i += 1) await aWhile(200);
    await aWhile(500);
    const summary = await writers.stop();
    const { lost, acknowledged } = await writers.verify(url);
    expect(lost).toEqual([]);
    expect(acknowledged).toBe(summary.acknowledged);
    expect(acknowledged).toBeGreaterThan(midway.acknowledged);
    expect(Object.keys(summary.operations)).toHaveLength(everyKind);
    expect(summary.errors).toEqual({});
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(acknowledged);
  });

  test('touch only rows that they inserted', async () => {
    const url = await cluster.create('own', 'template');
    const rest = `SELECT (SELECT sum(hashtextextended(e::text, 0)) FROM "bazaar-vid_exports" e WHERE user_id NOT LIKE 'writer\\_%') AS exports,
      (SELECT sum(hashtextextended(a::text, 0)) FROM "bazaar-vid_export_analytics" a WHERE user_agent IS DISTINCT FROM 'writer') AS events,
      (SELECT sum(hashtextextended(p::text, 0)) FROM "bazaar-vid_project" p WHERE "userId" NOT LIKE 'writer\\_%') AS projects,
      (SELECT sum(hashtextextended(u::text, 0)) FROM "bazaar-vid_user" u WHERE id NOT LIKE 'writer\\_%') AS users`;
    const before = (await cluster.admin(rest, 'own')).rows;
    const writers = await startWriters(url, { rate: 0 });
    await aWhile(1000);
    await writers.stop();
    expect((await cluster.admin(rest, 'own')).rows).toEqual(before);
  });

  test('notice a row that is deleted, changed back or brought back behind their backs', async () => {
    const url = await cluster.create('tampered', 'template');
    const writers = await startWriters(url, { rate: 0 });
    for (let n = 0; n < 100 && writers.summary().acknowledged < 2000; n += 1) await aWhile(200);
    await writers.stop();
    await cluster.admin(
      `DELETE FROM "bazaar-vid_export_analytics" WHERE id = (SELECT min(id::text)::uuid FROM "bazaar-vid_export_analytics" WHERE user_agent = 'writer')`,
      'tampered',
    );
    await cluster.admin(
      `UPDATE "bazaar-vid_exports" SET download_count = -1 WHERE id = (SELECT min(id) FROM "bazaar-vid_exports" WHERE user_id LIKE 'writer\\_%')`,
      'tampered',
    );
    const { lost } = await writers.verify(url);
    expect(lost.map((l) => [l.table, l.found === 'no row'])).toEqual(
      expect.arrayContaining([
        ['bazaar-vid_exports', false],
        ['bazaar-vid_export_analytics', true],
      ]),
    );
    expect(lost).toHaveLength(2);
  });

  test('survive a crash of the server and know which writes are in doubt', async () => {
    const durable = await startCluster(['fsync=on']);
    try {
      const url = await durable.create('crash');
      await build(url, 'production');
      const writers = await startWriters(url, { rate: 0 });
      await aWhile(1000);
      await durable.stop('immediate');
      await durable.start();
      await aWhile(1000);
      const summary = await writers.stop();
      const { lost } = await writers.verify(url);
      expect(lost).toEqual([]);
      expect(summary.reconnected).toBeGreaterThanOrEqual(summary.ambiguous);
      expect(summary.reconnected).toBeGreaterThan(0);
    } finally {
      await durable.remove();
    }
  });
});
