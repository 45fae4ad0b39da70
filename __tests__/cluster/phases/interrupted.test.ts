import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import pg from 'pg';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { expectCode, schemaText, terminal, type Ended } from '../../support/terminal.js';

const plan = `name: interrupted
steps:
  - id: unused
    retire-tables: { tables: [unused], only-if: empty }
  - id: dev-unused
    on: development
    retire-tables: { tables: [unused], only-if: empty }
verify:
  queries: [{ name: nothing is broken, sql: 'SELECT count(*) FROM broken', expect: 0 }]
watch:
  queries: [{ name: can be divided, sql: 'SELECT count(*) FROM broken WHERE 1 / (id - 1) > 5', expect: 0 }]
maintenance: { on: 'echo on >> commands.log', off: 'echo off >> commands.log' }
deploy: { run: 'echo deploy >> commands.log; test "$HOME" != /nowhere', undo: 'echo undeploy >> commands.log; test "$HOME" != /nowhere' }
`;

const lockKey = '7811887669352329985';
const minute = 60_000;

let cluster: Cluster;
let dir: string;
let store: string;
let file: string;
let planId = '';
let keys: Readonly<Record<string, string>>;
let nth = 0;
/** the databases of the test at hand */
let url: string;
let dev: string;

const inputs = (more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  'production-url': url,
  'development-url': dev,
  'backup-recipient': keys['backup-recipient'] ?? '',
  ...more,
});
const phase = (name: string, more: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  terminal(name, { ...(['watch', 'rollback', 'cleanup', 'status'].includes(name) ? {} : { plan: file }), store, inputs: inputs(more), env });
const migrate = (env: Readonly<Record<string, string>> = {}): Promise<Ended> => phase('migrate', { confirm: planId }, env);
const commands = (): readonly string[] =>
  readFileSync(join(dir, 'commands.log'), 'utf8')
    .split('\n')
    .filter((l) => l !== '');

async function sql<T>(database: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}
const stateOf = async (database: string, run: string): Promise<string | undefined> =>
  (await sql<{ state: string }>(database, `SELECT state FROM lossless.run WHERE id = '${run}'`))[0]?.state;

/** Holds the lock of production as another process does, until the work is done. */
async function whileLocked<T>(work: (lock: pg.Client) => Promise<T>): Promise<T> {
  const lock = new pg.Client({ connectionString: url, application_name: 'lossless lock' });
  await lock.connect();
  try {
    await lock.query(`SELECT pg_advisory_lock(${lockKey})`);
    return await work(lock);
  } finally {
    await lock.end();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come to pass in 30 s');
}

beforeAll(async () => {
  cluster = await startCluster();
  dir = mkdtempSync(join(tmpdir(), 'lossless-interrupted-'));
  store = join(dir, 'store');
  mkdirSync(store);
  file = join(dir, 'plan.yml');
  writeFileSync(file, plan);
  writeFileSync(join(dir, 'commands.log'), '');
  const identity = await generateX25519Identity();
  keys = { 'backup-recipient': await identityToRecipient(identity), 'backup-identity': identity };
  const template = await cluster.create('template');
  await sql(template, 'CREATE TABLE unused (id int PRIMARY KEY); CREATE TABLE broken (id int PRIMARY KEY)');
  url = await cluster.create('rehearsed', 'template');
  dev = await cluster.create('rehearsed_dev', 'template');
  for (const name of ['backup', 'rehearse', 'gate']) {
    const ended = await phase(name, name === 'gate' ? { confirm: planId } : keys);
    expectCode(ended, 0);
    planId = ended.outputs['plan-id'] ?? planId;
  }
}, 300_000);
afterAll(async () => {
  await (cluster as Cluster | undefined)?.remove();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  nth += 1;
  url = await cluster.create(`production_${String(nth)}`, 'template');
  dev = await cluster.create(`development_${String(nth)}`, 'template');
  writeFileSync(join(dir, 'commands.log'), '');
});

async function migrated(): Promise<string> {
  const ended = await migrate();
  expectCode(ended, 0);
  return ended.outputs['run'] ?? '';
}

describe('a journal', () => {
  test(
    'has what was rehearsed and approved, the state before, and the file to go back to when everything else fails',
    async () => {
      await migrated();
      for (const database of [url, dev]) {
        expect(
          (await sql<{ kind: string }>(database, "SELECT kind FROM lossless.evidence WHERE body <> 'null' AND kind <> 'deploy' ORDER BY kind")).map(
            (r) => r.kind,
          ),
        ).toEqual(['approval', 'final backup', 'rehearsal', 'start']);
      }
      const [backup] = await sql<{ body: { name: string; proved: boolean } }>(url, "SELECT body FROM lossless.evidence WHERE kind = 'final backup'");
      expect(backup?.body.proved).toBe(false);
      expect(readdirSync(store)).toContain(backup?.body.name);
    },
    2 * minute,
  );
});

describe('a retention', () => {
  test(
    'is judged by the clock of the server, whatever the runner believes',
    async () => {
      const run = await migrated();
      expectCode(await phase('watch'), 0);
      const skew = join(dir, 'skew.mjs');
      writeFileSync(
        skew,
        'const ahead = 8 * 86_400_000;\nconst Real = Date;\nglobalThis.Date = class extends Real {\n  constructor(...given) { if (given.length === 0) super(Real.now() + ahead); else super(...given); }\n  static now() { return Real.now() + ahead; }\n};\n',
      );
      const early = await phase('cleanup', { confirm: run }, { NODE_OPTIONS: `--import=${pathToFileURL(skew).href}` });
      expect({ code: early.code, out: early.out }).toMatchObject({ code: 2, out: expect.stringContaining('retention-not-over') });
      expect(await stateOf(url, run)).toBe('migrated');
    },
    2 * minute,
  );
});

describe('a rollback', () => {
  test(
    'that waited for a cleanup finds that there is nothing to roll back',
    async () => {
      const run = await migrated();
      const ended = await whileLocked(async (lock) => {
        const rollback = phase('rollback', { confirm: run });
        await until(async () => (await sql(url, "SELECT FROM pg_stat_activity WHERE application_name = 'lossless rollback waiting'")).length > 0);
        await lock.query("UPDATE lossless.run SET state = 'cleaned'");
        await sql(dev, "UPDATE lossless.run SET state = 'cleaned'");
        await lock.query(`SELECT pg_advisory_unlock(${lockKey})`);
        return rollback;
      });
      expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 2, out: expect.stringContaining('run-not-found') });
      expect(await stateOf(url, run)).toBe('cleaned');
      expect(commands()).not.toContain('undeploy');
    },
    2 * minute,
  );

  test(
    'and everything after it works for a run that was killed before development heard of it',
    async () => {
      const start = await schemaText(cluster.bin, url);
      const run = await migrated();
      expectCode(await phase('rollback', { confirm: run }), 0);
      // what a kill between the two journals leaves
      await sql(url, "UPDATE lossless.run SET state = 'migrating', migrated_at = NULL, rolled_back_at = NULL, retain_until = NULL");
      await sql(url, "UPDATE lossless.step SET state = 'planned', receipt = NULL; DELETE FROM lossless.receipt");
      await sql(dev, 'DROP SCHEMA lossless CASCADE');
      expectCode(await phase('status'), 0);
      const again = await migrate();
      expect({ code: again.code, out: again.out }).toMatchObject({ code: 2, out: expect.stringContaining('run-unfinished') });
      expectCode(await phase('rollback', { confirm: run }), 0);
      expect(await stateOf(url, run)).toBe('rolled-back');
      expect(await schemaText(cluster.bin, url)).toBe(start);
      const second = await migrated();
      expect(second).not.toBe(run);
      await sql(url, `UPDATE lossless.run SET retain_until = now() - interval '1 minute' WHERE id = '${run}'`);
      expectCode(await phase('cleanup', { confirm: run }), 0);
    },
    3 * minute,
  );

  test(
    'killed between the journals of two databases is continued',
    async () => {
      const run = await migrated();
      const trap = `CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed here'; END $$;
      CREATE TRIGGER trap BEFORE UPDATE ON lossless.run FOR EACH ROW WHEN (NEW.state = 'rolled-back') EXECUTE FUNCTION public.trap()`;
      // whichever journal is told last does not hear it
      for (const database of [url, dev]) {
        await sql(database, trap);
        const ended = await phase('rollback', { confirm: run });
        expect(ended.code).toBe(1);
        await sql(database, 'DROP FUNCTION public.trap CASCADE');
      }
      expectCode(await phase('rollback', { confirm: run }), 0);
      expect([await stateOf(url, run), await stateOf(dev, run)]).toEqual(['rolled-back', 'rolled-back']);
    },
    2 * minute,
  );

  test(
    'undoes the deploy of a run that was killed after it',
    async () => {
      const run = await migrated();
      for (const database of [url, dev]) await sql(database, "UPDATE lossless.run SET state = 'migrating', migrated_at = NULL, retain_until = NULL");
      expectCode(await phase('rollback', { confirm: run }), 0);
      expect(commands()).toEqual(['on', 'deploy', 'off', 'on', 'undeploy', 'off']);
    },
    2 * minute,
  );

  test(
    'of a run that never deployed leaves the deploy alone',
    async () => {
      await sql(url, 'INSERT INTO broken VALUES (7)');
      expectCode(await migrate(), 1);
      const [row] = await sql<{ id: string }>(url, 'SELECT id FROM lossless.run');
      for (const database of [url, dev]) await sql(database, "UPDATE lossless.run SET state = 'failed'");
      expectCode(await phase('rollback', { confirm: row?.id ?? '' }), 0);
      expect(commands()).toEqual(['on', 'off', 'on', 'off']);
    },
    2 * minute,
  );
});

describe('maintenance', () => {
  test(
    'goes off, and the run stays open, when the deploy cannot be undone',
    async () => {
      const ended = await migrate({ HOME: '/nowhere' });
      expect(ended.code).toBe(1);
      const [row] = await sql<{ id: string; state: string; maintenance_on: boolean }>(url, 'SELECT id, state, maintenance_on FROM lossless.run');
      expect(row).toMatchObject({ state: 'failed', maintenance_on: false });
      expect(commands().at(-1)).toBe('off');
      expectCode(await phase('rollback', { confirm: row?.id ?? '' }), 0);
      expect(commands().slice(-3)).toEqual(['on', 'undeploy', 'off']);
    },
    2 * minute,
  );

  test.each(['migrate', 'watch', 'cleanup'])(
    'that a killed process left on goes off in the next %s',
    async (next) => {
      await migrated();
      for (const database of [url, dev]) await sql(database, "UPDATE lossless.run SET maintenance_on = true, retain_until = now() - interval '1 minute'");
      if (next === 'cleanup')
        for (const database of [url, dev]) await sql(database, "INSERT INTO lossless.watch SELECT id, now(), 'green', 0, '{}' FROM lossless.run");
      writeFileSync(join(dir, 'commands.log'), '');
      expectCode(next === 'migrate' ? await migrate() : await phase(next), 0);
      expect(commands()).toEqual(['off']);
      expect(await sql(dev, 'SELECT FROM lossless.run WHERE maintenance_on')).toEqual([]);
    },
    2 * minute,
  );
});

describe('a watch', () => {
  test(
    'that breaks at one run is red for it, and still looks after the others',
    async () => {
      const run = await migrated();
      await sql(
        url,
        `INSERT INTO lossless.run SELECT 'r00000001', state, 'production', '{production}', plan_name, 'other', plan_file, fingerprint, allow, max_lock_ms, retention_ms, approved, tool_version, actor, commit, workflow_run, now() + interval '1 s', migrated_at, NULL, retain_until, NULL, false, NULL FROM lossless.run`,
      );
      const ended = await phase('watch');
      expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 1, out: expect.stringContaining('watch-incomplete') });
      expect(await sql(url, 'SELECT run, outcome FROM lossless.watch ORDER BY run')).toEqual([
        { run: 'r00000001', outcome: 'red' },
        { run, outcome: 'green' },
      ]);
    },
    2 * minute,
  );

  test(
    'is red about a run that was left half done',
    async () => {
      await migrated();
      for (const database of [url, dev]) await sql(database, "UPDATE lossless.run SET state = 'failed'");
      const ended = await phase('watch');
      expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 1, out: expect.stringContaining('run-unfinished') });
    },
    2 * minute,
  );
});

describe('a cleanup', () => {
  test(
    'of several runs cleans none of them when one may not be cleaned',
    async () => {
      const first = await migrated();
      expectCode(await phase('rollback', { confirm: first }), 0);
      await migrated();
      for (const database of [url, dev]) await sql(database, "UPDATE lossless.run SET retain_until = now() - interval '1 minute'");
      const ended = await phase('cleanup');
      expect({ code: ended.code, out: ended.out }).toMatchObject({ code: 2, out: expect.stringContaining('watch-not-green') });
      expect(await stateOf(url, first)).toBe('rolled-back');
    },
    2 * minute,
  );
});
