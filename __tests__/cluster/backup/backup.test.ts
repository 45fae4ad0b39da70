import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import pg from 'pg';
import { archiveTables } from '../../../src/backup/archive.js';
import { decryptFile } from '../../../src/backup/cipher.js';
import { findServer } from '../../../src/backup/client.js';
import type { Manifest } from '../../../src/backup/manifest.js';
import { withPrivateServer } from '../../../src/backup/private-server.js';
import { compareWithManifest } from '../../../src/backup/restore.js';
import { isSameDatabase } from '../../../src/backup/same-database.js';
import { directoryStore } from '../../../src/host/store/directory.js';
import type { Inputs } from '../../../src/inputs.js';
import { parseTarget } from '../../../src/pg/connect.js';
import { connect } from '../../../src/pg/db.js';
import { backup } from '../../../src/phases/backup.js';
import { clone } from '../../../src/phases/clone.js';
import type { PhaseContext, PhaseResult } from '../../../src/phases/phase.js';
import { restoredClone } from '../../../src/phases/restored-clone.js';
import type { Plan } from '../../../src/plan/plan.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { phaseContext, type TestContext } from '../../support/phase-context.js';
import { planIn } from '../../support/plan.js';

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const keys = { 'backup-recipient': recipient, 'backup-identity': identity } as const;
let cluster: Cluster;
let plan: Plan;
const open: TestContext[] = [];
const stores: string[] = [];
let made = 0;

const schema = `CREATE TYPE mood AS ENUM ('a', 'b');
  CREATE TABLE "bazaar-vid_user" (id varchar(255) PRIMARY KEY, status varchar(10) CHECK (status IN ('active', 'gone')), m mood DEFAULT 'a', note text);
  CREATE TABLE "bazaar-vid_project" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "userId" varchar(255) NOT NULL REFERENCES "bazaar-vid_user" (id) ON DELETE CASCADE, n numeric, j jsonb);
  CREATE TABLE counted (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY, t text); CREATE INDEX ON "bazaar-vid_user" (status) WHERE status IN ('active', 'gone');
  CREATE VIEW v AS SELECT id FROM counted WHERE t IN ('x', 'y'); CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM counted;
  INSERT INTO "bazaar-vid_user" SELECT 'user_' || g, 'active', 'b', 'SECRET-ROW-VALUE-' || g FROM generate_series(1, 2000) g;
  INSERT INTO "bazaar-vid_project" ("userId", n, j) SELECT 'user_' || g, g + 0.50, '{"k": 1.0}' FROM generate_series(1, 2000) g; INSERT INTO counted (t) SELECT 'x' FROM generate_series(1, 100)`;

const ask = async (url: string, sql: string): Promise<pg.QueryResult<Record<string, unknown>>> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query<Record<string, unknown>>(sql);
  } finally {
    await client.end();
  }
};
const database = async (sql = ''): Promise<string> => {
  made += 1;
  const url = await cluster.create(`backup_${String(made)}`);
  if (sql !== '') await ask(url, sql);
  return url;
};
const context = (inputs: Partial<Inputs>, options: Parameters<typeof phaseContext>[2] = {}): TestContext => {
  const cx = phaseContext(plan, inputs, options);
  open.push(cx);
  return cx;
};
const refusal = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'passed',
    (e: unknown) => (e as { findings?: { code: string }[] }).findings?.[0]?.code ?? `threw ${(e as Error).message}`,
  );
const manifestIn = (cx: TestContext): Manifest => JSON.parse(readFileSync(join(cx.storeDirectory, file(cx, '.manifest.json')), 'utf8')) as Manifest;
const file = (cx: TestContext, ending: string): string => readdirSync(cx.storeDirectory).find((n) => n.endsWith(ending))!;
/** evidence files hold no rows; the job's end removes them with the scratch directory */
const left = (cx: PhaseContext): readonly string[] => readdirSync(cx.scratch).filter((name) => !name.startsWith('evidence-'));
const backedUp = async (url: string, more: Partial<Inputs> = {}): Promise<{ cx: TestContext; result: PhaseResult }> => {
  const cx = context({ 'production-url': url, ...keys, ...more });
  const result = await backup.run(cx);
  await cx.endJob();
  return { cx, result };
};

beforeAll(async () => {
  cluster = await startCluster();
  plan = await planIn({ 'plan.yml': 'name: test\nretention: 7d\nmax-lock: 1s\nschemas: [public]\nsteps:\n  - id: one\n    touch: { tables: [counted] }\n' });
});
afterEach(async () => {
  for (const cx of open.splice(0)) await cx.close();
});
afterAll(async () => {
  for (const directory of stores) rmSync(directory, { recursive: true, force: true });
  await cluster.remove();
});

describe('backup', () => {
  test('under writers is equal to its own snapshot, restored on a private server with owners, and leaves no plain byte behind', async () => {
    const url = await database(schema);
    await cluster.admin(`DROP ROLE IF EXISTS reader; CREATE ROLE reader; GRANT SELECT ON counted TO reader`, `backup_${String(made)}`);
    const writer = new pg.Client({ connectionString: url });
    await writer.connect();
    const writing = new AbortController();
    let written = 0;
    const writes = (async () => {
      for (; !writing.signal.aborted; written += 1) {
        await writer.query(`INSERT INTO "bazaar-vid_user" (id, status) VALUES ($1, 'active')`, [`new_${String(written)}`]);
        await writer.query(`DELETE FROM "bazaar-vid_user" WHERE id = $1`, [`user_${String(written)}`]);
        await writer.query(`UPDATE counted SET t = 'y' WHERE id = $1`, [written % 100]);
        await writer.query(`INSERT INTO counted (t) VALUES ('z')`);
      }
    })();
    const seen: string[] = [];
    const cx = context(
      { 'production-url': url, ...keys },
      {
        report: (e) =>
          e.type === 'progress' &&
          seen.push(
            ...readdirSync(cx.scratch)
              .flatMap((d) => readdirSync(join(cx.scratch, d)).map((f) => join(cx.scratch, d, f)))
              .map((f) => (readFileSync(f).includes('PGDMP') || readFileSync(f).includes('SECRET') ? `plain: ${f}` : f.replace(/.*\./, '.'))),
          ),
      },
    );
    const result = await backup.run(cx);
    writing.abort();
    await writes;
    await writer.end();
    await cx.endJob();
    expect(result.outcome).toBe('passed');
    expect(written).toBeGreaterThan(3);
    expect([...new Set(seen)].filter((s) => s.startsWith('plain'))).toEqual([]);
    expect(left(cx)).toEqual([]);
    const manifest = manifestIn(cx);
    expect(
      readdirSync(cx.storeDirectory)
        .filter((n) => !n.endsWith('.sha256'))
        .sort(),
    ).toEqual([`lossless-production-${cx.invocation.run}-1.dump.age`, `lossless-production-${cx.invocation.run}-1.manifest.json`]);
    const dump = readFileSync(join(cx.storeDirectory, manifest.dump.name));
    expect(dump.includes('PGDMP')).toBe(false);
    expect(result.outputs!['backup-id']).toBe(manifest.dump.digest.slice(0, 12));
    expect(JSON.stringify(manifest)).not.toContain('SECRET');
    expect(manifest.tables.map((t) => t.name)).toEqual(['bazaar-vid_project', 'bazaar-vid_user', 'counted']);

    const cx2 = context({ ...keys }, { storeDirectory: cx.storeDirectory });
    const cloned = await clone.run(cx2);
    expect(cloned.findings.filter((f) => f.severity === 'block')).toEqual([]);
    expect(cloned.checks!.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass']);
    expect(cloned.outputs!['rows-compared']).toBe(String(manifest.tables.reduce((n, t) => n + t.rows, 0)));
    expect(left(cx2)).toEqual([]);

    const cx3 = context({ ...keys }, { storeDirectory: cx.storeDirectory });
    const facts = await restoredClone(cx3, 'production', async (target) => {
      const { db, close } = await connect(target, 'worker', { report: () => undefined, signal: cx3.signal, clock: cx3.clock, name: 'lossless test' });
      try {
        return await db.select<{ me: string; owner: string; granted: boolean; fsync: string }>(
          "SELECT current_user::text AS me, (SELECT tableowner::text FROM pg_tables WHERE tablename = 'counted') AS owner, has_table_privilege('reader', 'public.counted', 'SELECT') AS granted, current_setting('fsync') AS fsync" as never,
        );
      } finally {
        await close();
      }
    });
    expect(facts).toEqual([{ me: 'app', owner: 'app', granted: true, fsync: 'on' }]);
    expect(left(cx3)).toEqual([]);
  });

  test('without recipient and passphrase is refused before anything is read', async () => {
    const cx = context({ 'production-url': 'postgres://nobody@localhost/none?host=/nowhere' });
    expect(await refusal(backup.run(cx))).toBe('backup-not-encrypted');
  });

  test('leaves out and lists a schema that the role cannot read, and is refused when the plan touches it or something depends on it', async () => {
    const url = await database('CREATE TABLE counted (id int)');
    const name = `backup_${String(made)}`;
    await cluster.admin(
      'CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY); CREATE SCHEMA half; GRANT USAGE ON SCHEMA half TO app; CREATE TABLE half.t (id int)',
      name,
    );
    const { cx, result } = await backedUp(url);
    expect(manifestIn(cx).notBackedUp).toEqual([
      { schema: 'half', why: 'no SELECT on table t' },
      { schema: 'hidden', why: 'no USAGE on the schema' },
    ]);
    expect(result.findings.filter((f) => f.code === 'backup-schema-left-out').map((f) => f.object)).toEqual(['half', 'hidden']);
    const cx2 = context({ ...keys }, { storeDirectory: cx.storeDirectory });
    expect((await clone.run(cx2)).notCompared).toContain('production: schema hidden: no USAGE on the schema');
    await cluster.admin('ALTER TABLE counted ADD FOREIGN KEY (id) REFERENCES hidden.t (id)', name);
    expect(await refusal(backedUp(url))).toBe('schema-not-backed-up');
    await cluster.admin('ALTER TABLE counted DROP CONSTRAINT counted_id_fkey; CREATE TABLE public.owned_by_postgres (id int)', name);
    expect(await refusal(backedUp(url))).toBe('schema-not-backed-up');
    await cluster.admin(
      'DROP TABLE public.owned_by_postgres; ALTER TABLE counted ENABLE ROW LEVEL SECURITY; ALTER TABLE counted FORCE ROW LEVEL SECURITY',
      name,
    );
    expect(await refusal(backedUp(url))).toBe('schema-not-backed-up');
  });

  test('is refused when a large object cannot be read, and says when the journal cannot', async () => {
    const url = await database('CREATE TABLE counted (id int)');
    const name = `backup_${String(made)}`;
    await cluster.admin('CREATE SCHEMA lossless; CREATE TABLE lossless.run (id text)', name);
    const { result } = await backedUp(url);
    expect(result.findings.map((f) => f.code)).toEqual(expect.arrayContaining(['journal-not-readable', 'backup-schema-left-out']));
    await cluster.admin('SELECT lo_create(0)', name);
    expect(await refusal(backedUp(url))).toBe('large-object-not-readable');
  });

  test("without the client programs of the server's major is an error and stores nothing", async () => {
    const url = await database('CREATE TABLE counted (id int)');
    const cx = context({ 'production-url': url, ...keys, 'postgres-bin': '/nonexistent' });
    await expect(backup.run(cx)).rejects.toThrow(/pg_dump, pg_restore of PostgreSQL \d+, the server's major version, were not found: \/nonexistent lacks/);
    expect(readdirSync(cx.storeDirectory)).toEqual([]);
    expect(left(cx)).toEqual([]);
  });
});

describe('clone', () => {
  let url = '';
  let source: TestContext;
  const again = (inputs: Partial<Inputs>, options: { readonly signal?: AbortSignal; readonly report?: () => void } = {}): TestContext =>
    context(inputs, { storeDirectory: source.storeDirectory, ...options });
  beforeAll(async () => {
    url = await database(schema);
    source = phaseContext(plan, { 'production-url': url, ...keys });
    await backup.run(source);
    await source.endJob();
  });
  afterAll(async () => {
    await source.close();
  });

  test('with the wrong key, without a key, and from a store without a backup is refused', async () => {
    expect(await refusal(clone.run(again({ 'backup-identity': await generateX25519Identity() })))).toBe('backup-unreadable');
    expect(await refusal(clone.run(again({})))).toBe('input-missing');
    expect(await refusal(clone.run(context({ ...keys })))).toBe('evidence-missing');
  });

  test.each([
    ['truncated', (b: Buffer): Buffer => b.subarray(0, b.length - 5000)],
    ['tampered with', (b: Buffer): Buffer => Buffer.from(b.map((x, i) => (i === b.length - 300 ? x ^ 1 : x)))],
  ])('of a backup that was %s is refused, by the digest and by the cipher alone', async (_what, damage) => {
    const cx = again({ ...keys });
    const path = join(source.storeDirectory, manifestIn(source).dump.name);
    const whole = readFileSync(path);
    try {
      writeFileSync(path, damage(whole));
      expect(await refusal(clone.run(cx))).toMatch(/changed or cut/);
      const into = join(cx.scratch, 'plain');
      expect(await refusal(decryptFile(path, into, { kind: 'identity', identities: [identity] }))).toBe('backup-unreadable');
      expect(existsSync(into)).toBe(false);
    } finally {
      writeFileSync(path, whole);
    }
    expect(left(cx)).toEqual([]);
  });

  test('whose dump is gone from the store is refused, naming it', async () => {
    const path = join(source.storeDirectory, manifestIn(source).dump.name);
    const whole = readFileSync(path);
    rmSync(path);
    try {
      expect(await refusal(clone.run(again({ ...keys })))).toBe('backup-missing');
    } finally {
      writeFileSync(path, whole);
    }
  });

  test("into staging that is production, or that holds somebody else's objects, is refused, and nothing is dropped there", async () => {
    const host = new URL(url);
    host.searchParams.set('application_name', 'x');
    expect(await refusal(clone.run(again({ ...keys, 'production-url': url, 'staging-url': host.toString() })))).toBe('staging-is-production');
    const other = await database('CREATE TABLE precious (id int); INSERT INTO precious VALUES (1)');
    expect(await refusal(clone.run(again({ ...keys, 'production-url': other, 'development-url': url, 'staging-url': url })))).toBe('staging-is-production');
    expect(await refusal(clone.run(again({ ...keys, 'production-url': url, 'staging-url': other })))).toBe('staging-not-ours');
    expect(await refusal(clone.run(again({ ...keys, 'staging-url': other })))).toBe('input-missing');
    expect((await ask(other, 'SELECT count(*)::int AS n FROM precious')).rows).toEqual([{ n: 1 }]);
  });

  test('into staging stays there verified, is used by the rehearsal untouched, emptied afterwards, and replaced by the next', async () => {
    const staging = await database();
    const inputs = { ...keys, 'production-url': url, 'staging-url': staging };
    const first = again(inputs);
    const result = await clone.run(first);
    await first.endJob();
    expect(result.outcome).toBe('passed');
    expect(result.findings.map((f) => f.code)).toContain('clone-without-owners');
    expect((await ask(staging, 'SELECT count(*)::int AS n FROM "bazaar-vid_user"')).rows).toEqual([{ n: 2000 }]);
    const second = again(inputs);
    await restoredClone(second, 'production', async (target, manifest) => {
      expect(target.url).toBe(staging);
      expect(manifest.backupId).toBe(result.outputs!['backup-id']);
      await ask(staging, 'DROP TABLE counted CASCADE');
    });
    await second.endJob();
    expect((await ask(staging, "SELECT count(*)::int AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace")).rows).toEqual([{ n: 0 }]);
    const third = again(inputs);
    await restoredClone(third, 'production', async () => {
      expect((await ask(staging, 'SELECT count(*)::int AS n FROM counted')).rows).toEqual([{ n: 100 }]);
    });
    expect(left(third)).toEqual([]);
  });

  test('notices one changed value, one missing row, an earlier sequence and another definition', async () => {
    const other = await database(schema);
    const cx = again({ ...keys });
    const compare = async (): Promise<readonly string[]> =>
      (await compareWithManifest(cx, manifestIn(source), parseTarget(other, 'staging', 'staging-url', ''))).findings.map((f) => f.message);
    await ask(other, `TRUNCATE "bazaar-vid_project"; SELECT setval('counted_id_seq', 100)`);
    expect(await compare()).toEqual(['restored table public.bazaar-vid_project has 0 rows, expected 2000']);
    await ask(
      other,
      `UPDATE "bazaar-vid_user" SET note = note || ' ' WHERE id = 'user_7'; SELECT setval('counted_id_seq', 99); ALTER TABLE counted ADD extra int`,
    );
    expect(await compare()).toEqual([
      'restored table public.bazaar-vid_project has 0 rows, expected 2000',
      'restored table public.bazaar-vid_user has the expected 2000 rows, but their contents differ',
      'restored sequence public.counted_id_seq is behind its origin',
      "the restored definitions differ from the origin's in: column",
    ]);
  });

  /** the store with another manifest of the same dump */
  const edited = async (change: (m: Manifest) => Manifest): Promise<string> => {
    const cx = again({});
    const directory = mkdtempSync(join(tmpdir(), 'lossless-store-'));
    stores.push(directory);
    const manifest = change(manifestIn(source));
    const name = file(source, '.manifest.json');
    writeFileSync(join(cx.scratch, name), JSON.stringify(manifest));
    const store = directoryStore(directory);
    await store.put(manifest.dump.name, join(source.storeDirectory, manifest.dump.name));
    await store.put(name, join(cx.scratch, name));
    return directory;
  };

  test.each<[string, string, (m: Manifest) => Manifest]>([
    ['a table has other contents', 'backup-differs', (m) => ({ ...m, tables: m.tables.map((t) => (t.name === 'counted' ? { ...t, checksum: '1' } : t)) })],
    [
      'the schema needs an extension that the server lacks',
      'extension-not-available',
      (m) => ({ ...m, extensions: [{ name: 'no_such_extension', schema: 'public', version: '1', needed: true }] }),
    ],
  ])('on a private server is refused when %s', async (_why, code, change) => {
    const cx = context({ ...keys }, { storeDirectory: await edited(change) });
    expect(await refusal(clone.run(cx))).toBe(code);
    expect(left(cx)).toEqual([]);
  });

  test('on a machine without the locale of the origin says so', async () => {
    const cx = context({ ...keys }, { storeDirectory: await edited((m) => ({ ...m, server: { ...m.server, collate: 'xx_XX.UTF-8', ctype: 'xx_XX.UTF-8' } })) });
    const result = await clone.run(cx);
    expect(result.findings.map((f) => f.code)).toContain('clone-other-locale');
  });

  test.each<[string, string, (m: Manifest) => Manifest]>([
    ['of another major version', 'staging-other-major', (m) => ({ ...m, server: { ...m.server, major: 99 } })],
    [
      'without a role that a policy names',
      'staging-role-missing',
      (m) => ({ ...m, roles: m.roles.map((r) => ({ ...r, name: 'nobody_here', inPolicies: true })) }),
    ],
  ])('into staging %s is refused', async (_why, code, change) => {
    const staging = await database();
    const cx = context({ ...keys, 'production-url': url, 'staging-url': staging }, { storeDirectory: await edited(change) });
    expect(await refusal(clone.run(cx))).toBe(code);
  });

  test('that is cancelled stops its server and removes everything', async () => {
    const stop = new AbortController();
    let pid = 0;
    const cx = again({ ...keys }, { signal: stop.signal });
    const tools = await findServer({ exec: cx.exec, signal: cx.signal, major: manifestIn(source).server.major, postgresBin: '' });
    await expect(
      withPrivateServer(cx, tools, async (server) => {
        const { db, close } = await connect(server.admin('postgres'), 'reader', {
          report: () => undefined,
          signal: stop.signal,
          clock: cx.clock,
          name: 'lossless test',
        });
        const directory = left(cx)[0]!;
        pid = Number(readFileSync(join(cx.scratch, directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
        expect(alive(pid)).toBe(true);
        const sleeping = db.select('SELECT pg_sleep(30)' as never);
        setTimeout(() => stop.abort(), 100);
        await sleeping.finally(close);
      }),
    ).rejects.toThrow(/cancelled/);
    for (let i = 0; i < 50 && alive(pid); i += 1) await new Promise((r) => setTimeout(r, 100));
    expect(alive(pid)).toBe(false);
    expect(left(cx)).toEqual([]);
  });
});

/** a server that ended but was not yet reaped by init is a zombie, not alive */
const alive = (pid: number): boolean => existsSync(`/proc/${String(pid)}/stat`) && !readFileSync(`/proc/${String(pid)}/stat`, 'utf8').includes(') Z ');

describe('beside backups', () => {
  test('two names of one database are the same, two databases of one server are not', async () => {
    const [a, b] = [await database(), await database()];
    const cx = context({ 'production-url': a, 'development-url': a.replace('localhost', '127.0.0.1'), 'staging-url': b });
    const { production, development, staging } = cx.targets;
    expect(await isSameDatabase(cx, production!, development!)).toBe(true);
    expect(await isSameDatabase(cx, production!, staging!)).toBe(false);
  });

  test('an archive holds the rows of some tables, is proved without the secret key, and is stored under its own name', async () => {
    const url = await database(
      `${schema}; CREATE SCHEMA lossless_old_r0a1b2c3d; CREATE TABLE lossless_old_r0a1b2c3d."Old-Table" (id int, m mood, n numeric); INSERT INTO lossless_old_r0a1b2c3d."Old-Table" SELECT g, 'b', 1.50 FROM generate_series(1, 50) g`,
    );
    const cx = context({ 'production-url': url, 'backup-recipient': recipient });
    const archive = await archiveTables(
      cx,
      cx.targets.production!,
      [{ schema: 'lossless_old_r0a1b2c3d', name: 'Old-Table' }],
      'lossless-production-7-1-archive-r0a1b2c3d',
    );
    expect(archive).toMatchObject({
      name: 'lossless-production-7-1-archive-r0a1b2c3d.dump.age',
      rows: 50,
      expires: null,
      tables: [{ table: 'lossless_old_r0a1b2c3d.Old-Table', rows: 50 }],
    });
    expect(
      readdirSync(cx.storeDirectory)
        .filter((n) => !n.endsWith('.sha256'))
        .sort(),
    ).toEqual(['lossless-production-7-1-archive-r0a1b2c3d.archive.json', 'lossless-production-7-1-archive-r0a1b2c3d.dump.age']);
    expect(left(cx)).toEqual([]);
  });

  test('an archive of a retired schema without tables holds its definitions', async () => {
    const url = await database(
      `${schema}; CREATE SCHEMA lossless_old_r0a1b2c3d_s_pgrst; CREATE FUNCTION lossless_old_r0a1b2c3d_s_pgrst.pre_config() RETURNS int LANGUAGE sql AS 'SELECT 4711'`,
    );
    const cx = context({ 'production-url': url, 'backup-recipient': recipient });
    const archive = await archiveTables(cx, cx.targets.production!, [], 'lossless-production-8-1-archive-r0a1b2c3d', ['lossless_old_r0a1b2c3d_s_pgrst']);
    expect(archive).toMatchObject({ rows: 0, tables: [] });
    expect(archive.bytes).toBeGreaterThan(0);
    expect(left(cx)).toEqual([]);
  });

  test('what an open run left in production comes back without our triggers and schemas, and publications stay out', async () => {
    const url =
      await database(`${schema}; CREATE SCHEMA lossless; CREATE TABLE lossless.runs (id int); INSERT INTO lossless.runs VALUES (1); CREATE FUNCTION lossless.cap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER zzz_lossless_capture_r0a1b2c3d AFTER INSERT ON counted FOR EACH ROW EXECUTE FUNCTION lossless.cap(); CREATE SCHEMA lossless_old_r0a1b2c3d; CREATE TABLE lossless_old_r0a1b2c3d.t (id int)`);
    await cluster.admin(
      'CREATE PUBLICATION everything FOR ALL TABLES; CREATE EXTENSION citext; CREATE EXTENSION pg_stat_statements; ALTER TABLE counted ADD c citext',
      `backup_${String(made)}`,
    );
    const { cx } = await backedUp(url);
    const cx2 = context({ ...keys }, { storeDirectory: cx.storeDirectory });
    const result = await clone.run(cx2);
    expect(
      result.findings
        .filter((f) => f.code === 'restore-left-out')
        .map((f) => f.object!.replace(/ $/, ''))
        .sort(),
    ).toEqual(['COMMENT - EXTENSION citext', 'COMMENT - EXTENSION pg_stat_statements', 'PUBLICATION - everything postgres']);
    const found = await restoredClone(
      context({ ...keys }, { storeDirectory: cx.storeDirectory }),
      'production',
      async (target) =>
        (
          await ask(
            target.url,
            "SELECT (SELECT count(*)::int FROM pg_namespace WHERE nspname LIKE 'lossless%') AS schemas, (SELECT count(*)::int FROM pg_trigger WHERE NOT tgisinternal) AS triggers",
          )
        ).rows,
    );
    expect(found).toEqual([{ schemas: 0, triggers: 0 }]);
  });
});
