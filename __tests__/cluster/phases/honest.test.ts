import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import pg from 'pg';
import type { RunResult } from '../../../src/report/event.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { expectCode, terminal, type Ended } from '../../support/terminal.js';

const minute = 60_000;

let cluster: Cluster;
let dir: string;
let plan: string;
let keys: Readonly<Record<string, string>>;

const phase = (name: string, url: string, store: string, more: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  terminal(name, { plan, store, inputs: { 'production-url': url, ...keys, ...more } });

async function sql<T>(database: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

function newStore(name: string): string {
  const store = join(dir, name);
  mkdirSync(store);
  return store;
}

const resultOf = (ended: Ended): RunResult => JSON.parse(readFileSync(`${/report: (.*)\.html/.exec(ended.out)?.[1] ?? ''}.json`, 'utf8')) as RunResult;

beforeAll(async () => {
  cluster = await startCluster();
  dir = mkdtempSync(join(tmpdir(), 'lossless-honest-'));
  plan = join(dir, 'plan.yml');
  writeFileSync(plan, 'name: honest\nsteps:\n  - id: unused\n    retire-tables: { tables: [unused], only-if: empty }\n');
  const identity = await generateX25519Identity();
  keys = { 'backup-recipient': await identityToRecipient(identity), 'backup-identity': identity };
  await sql(await cluster.create('template'), 'CREATE TABLE unused (id int PRIMARY KEY)');
}, 2 * minute);
afterAll(async () => {
  await (cluster as Cluster | undefined)?.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe('a rehearsal', () => {
  test(
    'that is refused after one that passed takes the gate back, and nothing unmeasured has passed',
    async () => {
      const url = await cluster.create('rehearsed', 'template');
      const store = newStore('passed');
      expectCode(await phase('backup', url, store), 0);
      const rehearsed = await phase('rehearse', url, store);
      expectCode(rehearsed, 0);
      const written = resultOf(rehearsed).checks.filter((c) => c.name.startsWith('acknowledged writes'));
      expect(written).toMatchObject([{ verdict: 'not-measured' }]);

      const confirm = rehearsed.outputs['plan-id'] ?? '';
      const before = join(dir, 'before');
      cpSync(store, before, { recursive: true, preserveTimestamps: true });
      expectCode(await phase('gate', url, before, { confirm }), 0);

      await sql(url, 'INSERT INTO unused VALUES (1)');
      expectCode(await phase('backup', url, store), 0);
      expectCode(await phase('rehearse', url, store), 2);
      const gate = await phase('gate', url, store, { confirm });
      expect({ code: gate.code, out: gate.out }).toMatchObject({ code: 2, out: expect.stringContaining('rehearsal-failed') });
    },
    3 * minute,
  );
});

describe('a backup that cannot be restored', () => {
  test(
    'says which constraint its data breaks, and no row of it',
    async () => {
      const url = await cluster.create('orphaned', 'template');
      const store = newStore('orphaned');
      await sql(
        url,
        'CREATE TABLE parent (id text PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent text CONSTRAINT child_parent REFERENCES parent)',
      );
      await sql(url, "INSERT INTO parent VALUES ('ada@example.org'); INSERT INTO child VALUES (1, 'ada@example.org')");
      await cluster.admin('SET session_replication_role = replica; DELETE FROM public.parent', 'orphaned');
      expectCode(await phase('backup', url, store), 0);
      const cloned = await phase('clone', url, store);
      expect({ code: cloned.code, out: cloned.out }).toMatchObject({ code: 1, out: expect.stringContaining('child_parent') });
      expect(cloned.out).toContain('breaks one of its own constraints');
      expect(cloned.out).not.toContain('ada@example.org');
    },
    2 * minute,
  );
});

describe('a status', () => {
  test(
    'says that a rollback is possible only when the last watch saw nothing in its way',
    async () => {
      const url = await cluster.create('watched', 'template');
      const store = newStore('watched');
      for (const name of ['backup', 'rehearse']) expectCode(await phase(name, url, store), 0);
      const checked = await phase('check', url, store);
      const confirm = checked.outputs['plan-id'] ?? '';
      for (const name of ['gate', 'migrate']) expectCode(await phase(name, url, store, { confirm }), 0);
      expect((await phase('status', url, store)).outputs['rollback-possible']).toBe('true');
      await sql(url, `INSERT INTO lossless.watch SELECT id, now(), 'red', 3, '{"blocking": 2}' FROM lossless.run`);
      const status = await phase('status', url, store);
      expect(status.outputs['rollback-possible']).toBe('false');
      expect(resultOf(status).rollback?.backlog).toBe(3);
      await sql(url, "UPDATE lossless.run SET state = 'failed'");
      expect((await phase('status', url, store)).outputs['rollback-possible']).toBe('true');
    },
    3 * minute,
  );
});
