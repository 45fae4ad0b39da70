import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { build } from '../../../examples/bazaar-vid/fixture.mjs';
import { execWith } from '../../../src/host/exec.js';
import { drizzle } from '../../../src/steps/drizzle.js';
import type { StepContext } from '../../../src/steps/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { filesOf } from '../../support/plan-files.js';
import { Killed, MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

type Receipt = Parameters<typeof drizzle.verify>[2];
type Files = Record<string, string>;

const baseline = `CREATE TABLE "app-user" (id varchar(255) PRIMARY KEY, name text);`;
const promo = `CREATE TYPE "kind" AS ENUM ('percentage', 'fixed');
--> statement-breakpoint
CREATE TABLE "app-promo" (
	"id" serial PRIMARY KEY NOT NULL,
	"code" varchar(50) NOT NULL,
	"kind" "kind" DEFAULT 'fixed' NOT NULL,
	"created_by" varchar(255),
	CONSTRAINT "app-promo_code_unique" UNIQUE("code")
);
--> statement-breakpoint
CREATE TABLE "app-promo_usage" (
	"promo_id" integer NOT NULL,
	"user_id" varchar(255) NOT NULL
);
--> statement-breakpoint
ALTER TABLE "app-promo" ADD CONSTRAINT "app-promo_created_by_app-user_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."app-user"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "app-promo_usage" ADD CONSTRAINT "app-promo_usage_promo_id_app-promo_id_a_name_longer_than_sixty_three_bytes_fk" FOREIGN KEY ("promo_id") REFERENCES "public"."app-promo"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "app-promo_usage" ADD CONSTRAINT "app-promo_usage_user_id_app-user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app-user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "promo_usage_user_idx" ON "app-promo_usage" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "user_name_idx" ON "app-user" USING btree ("name");`;

const at0 = 1751360400000;
const at1 = 1755680400000;
/** A folder of drizzle-orm 0.x: [tag, when, sql]. */
const journal = (...entries: [string, number, string][]): Files => ({
  'drizzle/meta/_journal.json': JSON.stringify(
    { version: '7', dialect: 'postgresql', entries: entries.map(([tag, when], idx) => ({ idx, version: '7', when, tag, breakpoints: true })) },
    null,
    2,
  ),
  ...Object.fromEntries(entries.map(([tag, , sql]) => [`drizzle/${tag}.sql`, sql])),
});
const two = journal(['0000_baseline', at0, baseline], ['0001_promo', at1, promo]);
const creates = ['app-promo', 'app-promo_usage'];
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('drizzle', () => {
  let cluster: Cluster;
  let number = 0;
  const dirs: string[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster.remove();
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  });

  interface At {
    readonly cx: StepContext;
    readonly test: TestContext;
    readonly url: string;
    readonly dump: () => Promise<string>;
    readonly query: (text: string) => Promise<Record<string, unknown>[]>;
    readonly value: (text: string) => Promise<unknown>;
    readonly again: (run: string) => Promise<StepContext>;
    readonly done: () => Promise<void>;
  }

  /** Production with the baseline applied by drizzle, twenty users, and a migrator of the team's in the working directory. */
  async function at(files: Files = two, options: { exclusive?: boolean; allow?: string[]; ledger?: boolean } = {}): Promise<At> {
    number += 1;
    const name = `drizzle_${String(number)}`;
    const url = await cluster.create(name);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`${baseline} INSERT INTO "app-user" SELECT 'user_' || i, 'n' FROM generate_series(1, 20) i`);
    if (options.ledger !== false) {
      await client.query(`CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
        INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('${hash(baseline)}', ${String(at0)})`);
    }
    const dir = mkdtempSync(join(tmpdir(), 'lossless-drizzle-'));
    dirs.push(dir);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    const modules = resolve('node_modules');
    writeFileSync(
      join(dir, 'migrate.mjs'),
      `import { drizzle } from '${modules}/drizzle-orm/node-postgres/index.js'; import { migrate } from '${modules}/drizzle-orm/node-postgres/migrator.js'; import pg from '${modules}/pg/esm/index.mjs';
       const client = new pg.Client({ connectionString: process.env.APP_DB }); await client.connect();
       try { await migrate(drizzle(client), { migrationsFolder: 'drizzle' }); console.log('migrated'); } catch (e) { console.log('something failed'); process.exitCode = 1; } finally { await client.end(); }`,
    );
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ type: 'module', scripts: { 'db:migrate': 'node migrate.mjs' } }));
    const contexts: TestContext[] = [];
    const context = async (run: string): Promise<StepContext> => {
      const made = await stepContext(url, { run, allow: options.allow ?? [] });
      contexts.push(made);
      return { ...made.cx, files: filesOf(files), exec: execWith((text) => text), workingDirectory: dir, quiet: (work) => work(options.exclusive ?? true) };
    };
    const cx = await context('r00000001');
    return {
      cx,
      test: contexts[0]!,
      url,
      again: context,
      query: async (text) => (await client.query(text)).rows as Record<string, unknown>[],
      value: async (text) => Object.values((await client.query(text)).rows[0] as Record<string, unknown>)[0],
      dump: async () => {
        const { rows } = await client.query<{ line: string }>(`
          SELECT format('%s %s %s', n.nspname, c.relname, c.relkind) AS line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^(pg_|information_schema|lossless)'
          UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE n.nspname !~ '^(pg_|information_schema|lossless)'
          UNION ALL SELECT format('%s type', typname) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE typtype = 'e' AND n.nspname !~ '^lossless' ORDER BY 1`);
        return rows.map((r) => r.line).join('\n');
      },
      done: async () => {
        await client.end();
        for (const made of contexts) await made.close();
        await cluster.drop(name);
      },
    };
  }

  const blocks = (found: readonly { severity: string; code: string }[]): string[] => found.filter((f) => f.severity === 'block').map((f) => f.code);
  const team = { migrations: 'drizzle', command: 'npm run --silent db:migrate', 'url-variable': 'APP_DB', creates };
  const ours = { migrations: 'drizzle', creates };

  test.each([
    ['by the team’s own command (drizzle-orm’s migrator)', team],
    ['by our runner', ours],
  ])('applies, verifies, undoes and applies again %s; rows of created tables survive the rollback and come back', async (_name, spec) => {
    const { cx, test, dump, query, value, again, done } = await at();
    const start = await dump();
    expect((await drizzle.preflight(cx, spec)).findings.filter((f) => f.severity === 'block')).toEqual([]);
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, spec, slot);
    await drizzle.apply(cx, spec, slot);
    const end = await dump();
    const verified = await drizzle.verify(cx, spec, slot.last!);
    expect(verified.checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    expect(verified.tables.map((t) => `${t.table} ${String(t.before)} ${String(t.after)}`)).toEqual([
      'public.app-promo null 0',
      'public.app-promo_usage null 0',
    ]);
    expect(await query('SELECT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY id')).toEqual([
      { hash: hash(baseline), created_at: String(at0) },
      { hash: hash(promo), created_at: String(at1) },
    ]);
    expect(drizzle.retired(spec, slot.last!)).toEqual([]);
    await query(
      `INSERT INTO "app-promo" (code, created_by) VALUES ('A', 'user_1'), ('B', NULL); INSERT INTO "app-promo_usage" VALUES (1, 'user_2'), (2, 'user_3')`,
    );

    expect(await drizzle.canUndo(cx, spec, slot.last!)).toEqual([]);
    await drizzle.undo(cx, spec, slot.last, slot);
    await drizzle.undo(cx, spec, slot.last, slot);
    expect(await dump()).toBe(start);
    expect(drizzle.retired(spec, slot.last!)).toEqual([
      { schema: 'lossless_new_r00000001', name: 'app-promo' },
      { schema: 'lossless_new_r00000001', name: 'app-promo_usage' },
    ]);
    expect(await value('SELECT count(*)::int FROM lossless_new_r00000001."app-promo"')).toBe(2);
    expect(test.events.flatMap((e) => (e.type === 'found' && e.finding.code === 'kept-tables' ? [e.finding.count] : []))).toEqual([2, 2]);
    expect(await drizzle.canCleanup(cx, spec, slot.last!)).toEqual([]);
    await query(`DELETE FROM "app-user" WHERE id = 'user_20'`);

    const later = await again('r00000002');
    const before = await drizzle.preflight(later, spec);
    expect(blocks(before.findings)).toEqual([]);
    expect(before.findings.filter((f) => f.code === 'kept-tables')).toHaveLength(1);
    const second = new MemorySlot<Receipt>();
    await drizzle.apply(later, spec, second);
    expect(await dump()).toBe(end);
    expect(await query('SELECT code, created_by FROM "app-promo" ORDER BY 1')).toEqual([
      { code: 'A', created_by: 'user_1' },
      { code: 'B', created_by: null },
    ]);
    expect(await query('SELECT user_id FROM "app-promo_usage" ORDER BY 1')).toEqual([{ user_id: 'user_2' }, { user_id: 'user_3' }]);
    expect((await drizzle.verify(later, spec, second.last!)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass', 'pass', 'not-measured']);
    await query(`INSERT INTO "app-promo" (code) VALUES ('C')`);
    await drizzle.cleanup(later, spec, second.last!);
    await drizzle.cleanup(cx, spec, slot.last!);
    expect(await value('SELECT count(*)::int FROM "app-promo"')).toBe(3);
    expect(
      await value(
        "SELECT count(*)::int FROM pg_namespace n WHERE nspname LIKE 'lossless\\_%' OR nspname = 'lossless' AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)",
      ),
    ).toBe(0);
    await done();
  });

  test.each([
    ['our runner', ours],
    ['the command', team],
  ])('with %s, kept tables come back and only what is newer is run', async (_name, spec) => {
    const next = journal(
      ['0000_baseline', at0, baseline],
      ['0001_promo', at1, promo],
      ['0002_note', at1 + 1, 'ALTER TABLE "app-promo" ADD COLUMN "note" text;'],
    );
    const { cx, query, value, again, done } = await at(next);
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply({ ...cx, files: filesOf(two) }, ours, slot);
    await query(`INSERT INTO "app-promo" (code) VALUES ('A')`);
    await drizzle.undo(cx, ours, slot.last, slot);
    const later = await again('r00000002');
    const second = new MemorySlot<Receipt>();
    await drizzle.apply(later, spec, second);
    expect(await query('SELECT code, note FROM "app-promo"')).toEqual([{ code: 'A', note: null }]);
    expect(await value('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toBe(3);
    expect((await drizzle.verify(later, spec, second.last!)).checks.filter((c) => c.verdict === 'fail')).toEqual([]);
    await drizzle.undo(later, spec, second.last, second);
    expect(await query('SELECT code, note FROM lossless_new_r00000002."app-promo"')).toEqual([{ code: 'A', note: null }]);
    expect(await value('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toBe(1);
    await done();
  });

  test('cleanup of a rolled back run drops what it kept', async () => {
    const { cx, value, done } = await at();
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    await drizzle.undo(cx, ours, slot.last, slot);
    await drizzle.cleanup(cx, ours, slot.last!);
    await drizzle.cleanup(cx, ours, slot.last!);
    expect(await value("SELECT count(*)::int FROM pg_namespace WHERE nspname LIKE 'lossless\\_%'")).toBe(0);
    expect(await value("SELECT to_regclass('lossless.done') IS NULL")).toBe(true);
    await done();
  });

  test('kept tables that the receipt does not name are not cleaned up', async () => {
    const { cx, done } = await at();
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    await drizzle.undo(cx, ours, slot.last);
    expect(blocks(await drizzle.canCleanup(cx, ours, slot.last!))).toEqual(['kept-tables-unrecorded', 'kept-tables-unrecorded']);
    await done();
  });

  test('a first migration makes the ledger, and the undo takes it away again', async () => {
    for (const spec of [ours, team]) {
      const { cx, dump, done } = await at(journal(['0000_promo', at1, promo]), { ledger: false });
      const start = await dump();
      const slot = new MemorySlot<Receipt>();
      await drizzle.apply(cx, spec, slot);
      await drizzle.undo(cx, spec, slot.last, slot);
      expect(await dump()).toBe(start);
      const again = new MemorySlot<Receipt>();
      await drizzle.apply(cx, spec, again);
      expect((await drizzle.verify(cx, spec, again.last!)).checks.filter((c) => c.verdict === 'fail')).toEqual([]);
      await done();
    }
  });

  test('rows kept whose parent was deleted meanwhile are not brought back silently', async () => {
    const { cx, query, value, again, done } = await at();
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    await query(`INSERT INTO "app-promo" (code) VALUES ('A'); INSERT INTO "app-promo_usage" VALUES (1, 'user_2'), (1, 'user_3')`);
    await drizzle.undo(cx, ours, slot.last, slot);
    await query(`DELETE FROM "app-user" WHERE id = 'user_2'`);
    const later = await again('r00000002');
    const found = (await drizzle.preflight(later, ours)).findings.filter((f) => f.severity === 'block');
    expect(found.map((f) => `${f.code} ${String(f.count)}`)).toEqual(['kept-rows-without-parent 1']);
    const accepting = { ...later, allow: new Set(['kept-rows-without-parent']) };
    expect(blocks((await drizzle.preflight(accepting, ours)).findings)).toEqual([]);
    await drizzle.apply(accepting, ours, new MemorySlot<Receipt>());
    expect(await value('SELECT count(*)::int FROM "app-promo"')).toBe(0);
    expect(await value('SELECT count(*)::int FROM lossless_new_r00000001."app-promo_usage"')).toBe(2);
    await done();
  });

  test.each<[string, Files, string[], Record<string, unknown>?]>([
    [
      'an out-of-order `when`, which drizzle would skip',
      journal(['0000_baseline', at0, baseline], ['0001_promo', at0 - 5, promo]),
      ['drizzle-journal-order', 'drizzle-would-skip'],
    ],
    ['a migration merged late, older than the last applied', journal(['0000_promo', at0 - 5, promo], ['0001_baseline', at0, baseline]), ['drizzle-would-skip']],
    ['a `when` in the future', journal(['0000_baseline', at0, baseline], ['0001_promo', Date.now() + 86_400_000, promo]), ['drizzle-journal-future']],
    ['a file edited after it was applied', journal(['0000_baseline', at0, `${baseline} `], ['0001_promo', at1, promo]), ['drizzle-edited']],
    ['a ledger row without a file', journal(['0001_promo', at1, promo]), ['drizzle-ledger-unknown']],
    ['a gap in idx', { ...two, 'drizzle/meta/_journal.json': two['drizzle/meta/_journal.json']!.replace('"idx": 1', '"idx": 2') }, ['drizzle-journal-order']],
    [
      'a file that is missing',
      { 'drizzle/meta/_journal.json': two['drizzle/meta/_journal.json']!, 'drizzle/0000_baseline.sql': baseline },
      ['drizzle-folder', 'drizzle-creates-missing', 'drizzle-creates-missing'],
    ],
    ['a folder that is none', { 'drizzle/readme.md': '' }, ['drizzle-folder', 'drizzle-ledger-unknown', 'drizzle-creates-missing', 'drizzle-creates-missing']],
    [
      'CONCURRENTLY',
      journal(
        ['0000_baseline', at0, baseline],
        ['0001_promo', at1, promo.replace('CREATE INDEX "user_name_idx"', 'CREATE INDEX CONCURRENTLY "user_name_idx"')],
      ),
      ['concurrently'],
    ],
    ['a stray COMMIT', journal(['0000_baseline', at0, baseline], ['0001_promo', at1, `${promo}--> statement-breakpoint\nCOMMIT;`]), ['transaction-control']],
    [
      'a dropped table',
      journal(['0000_baseline', at0, baseline], ['0001_promo', at1, `${promo}--> statement-breakpoint\nDROP TABLE "app-user";`]),
      ['drop-table'],
    ],
    [
      'a table that exists',
      journal(['0000_baseline', at0, baseline], ['0001_promo', at1, `${promo}--> statement-breakpoint\nCREATE TABLE "app-user" (id int);`]),
      ['drizzle-table-exists'],
    ],
    ['creates that nothing creates', two, ['drizzle-creates-missing'], { creates: ['app-promos'] }],
    ['push', two, ['command-generates'], { command: 'drizzle-kit push' }],
  ])('refuses %s', async (_name, files, codes, more = {}) => {
    const { cx, done } = await at(files);
    expect(blocks((await drizzle.preflight(cx, { ...ours, ...more })).findings)).toEqual(codes);
    await done();
  });

  test('a migration that changes what existed has no undo', async () => {
    const { cx, value, done } = await at(
      journal(['0000_baseline', at0, baseline], ['0001_promo', at1, `${promo}--> statement-breakpoint\nALTER TABLE "app-user" ADD COLUMN "age" integer;`]),
    );
    expect((await drizzle.preflight(cx, ours)).findings.map((f) => f.code)).toContain('undo-none');
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    expect(blocks(await drizzle.canUndo(cx, ours, slot.last!))).toEqual(['undo-none']);
    expect(blocks(await drizzle.canUndo({ ...cx, allow: new Set(['keep-the-step']) }, ours, slot.last!))).toEqual([]);
    await drizzle.undo(cx, ours, slot.last, slot);
    expect(await value('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toBe(2);
    await done();
  });

  test('a later migration, or a view on what was created, stops the undo', async () => {
    const { cx, query, done } = await at();
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    await query('CREATE VIEW promos AS SELECT code FROM "app-promo"; CREATE TABLE mine (promo int REFERENCES "app-promo")');
    expect(blocks(await drizzle.canUndo(cx, ours, slot.last!))).toEqual(['created-table-in-use', 'created-table-in-use']);
    await query('DROP VIEW promos; DROP TABLE mine');
    await query(`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('x', ${String(at1 + 1)})`);
    expect(blocks(await drizzle.canUndo(cx, ours, slot.last!))).toEqual(['drizzle-ledger-later']);
    await expect(drizzle.undo(cx, ours, slot.last, slot)).rejects.toThrow('a later migration was applied since');
    await done();
  });

  test('the error that the command hides is found out, with its line, and nothing is left', async () => {
    const broken = journal(
      ['0000_baseline', at0, baseline],
      ['0001_promo', at1, `${promo}--> statement-breakpoint\nALTER TABLE "app-user" ADD CONSTRAINT "c" CHECK (nonsense > 0);`],
    );
    for (const spec of [team, ours]) {
      const { cx, dump, done } = await at(broken);
      const start = await dump();
      const slot = new MemorySlot<Receipt>();
      const failure = await drizzle.apply(cx, spec, slot).then(
        () => null,
        (error: unknown) => error as { message: string; more: { at?: { file: string; line?: number } } },
      );
      expect(failure?.message).toContain('column "nonsense" does not exist');
      if (spec === team) expect(failure?.message).toContain('exited with 1: something failed');
      expect(failure?.more.at).toMatchObject({ file: 'drizzle/0001_promo.sql', line: promo.split('\n').length + 1 });
      await drizzle.undo(cx, spec, slot.last, slot);
      expect(await dump()).toBe(start);
      await done();
    }
  });

  test('a command that migrates something else is noticed', async () => {
    const { cx, done } = await at();
    await expect(drizzle.apply(cx, { ...team, command: 'true' }, new MemorySlot<Receipt>())).rejects.toThrow('0001_promo is not in the ledger');
    await done();
  });

  test('the row guard holds for both ways', async () => {
    const losing = journal(
      ['0000_baseline', at0, baseline],
      ['0001_promo', at1, `${promo}--> statement-breakpoint\nDELETE FROM "app-user" WHERE id <> 'user_1';`],
    );
    for (const spec of [ours, team]) {
      const { cx, value, done } = await at(losing);
      await expect(drizzle.apply(cx, spec, new MemorySlot<Receipt>())).rejects.toThrow('public.app-user: 20 rows before, 1 after, 19 lost');
      expect(await value('SELECT count(*)::int FROM "app-user"')).toBe(spec === ours ? 20 : 1);
      await done();
    }
  });

  test.each([
    ['our runner', ours],
    ['the command', team],
  ])('killed at any save, with %s, it is applied exactly once or undone', async (_name, spec) => {
    for (const dieAt of [1, 2, 3]) {
      const { cx, dump, value, done } = await at();
      const start = await dump();
      const slot = new MemorySlot<Receipt>(dieAt);
      const died = await drizzle.apply(cx, spec, slot).then(
        () => false,
        (error: unknown) => error instanceof Killed,
      );
      slot.dieAt = 0;
      if (died) await drizzle.apply(cx, spec, slot);
      expect(await value('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toBe(2);
      expect(slot.last?.state).toBe('applied');
      await drizzle.undo(cx, spec, slot.last, slot);
      expect(await dump()).toBe(start);
      const other = new MemorySlot<Receipt>(dieAt);
      await drizzle.apply(cx, spec, other).catch(() => undefined);
      await drizzle.undo(cx, spec, other.last, other).catch(() => undefined);
      other.dieAt = 0;
      await drizzle.undo(cx, spec, other.last, other);
      expect(await dump()).toBe(start);
      await done();
    }
  });

  test('the layout of v1 is applied and undone', async () => {
    const files = { 'drizzle/20250701090000_baseline/migration.sql': baseline, 'drizzle/20250820090000_promo/migration.sql': promo };
    const { cx, dump, query, done } = await at(files, { ledger: false });
    await query(`CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint, name text, applied_at timestamptz DEFAULT now());
      INSERT INTO drizzle.__drizzle_migrations (hash, created_at, name) VALUES ('${hash(baseline)}', 1751360400000, '20250701090000_baseline')`);
    const start = await dump();
    expect(blocks((await drizzle.preflight(cx, ours)).findings)).toEqual([]);
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, ours, slot);
    expect(await query('SELECT name, hash FROM drizzle.__drizzle_migrations WHERE id > 1')).toEqual([{ name: '20250820090000_promo', hash: hash(promo) }]);
    await drizzle.undo(cx, ours, slot.last, slot);
    expect(await dump()).toBe(start);
    await drizzle.apply(cx, ours, new MemorySlot<Receipt>());
    expect(await query('SELECT name FROM drizzle.__drizzle_migrations WHERE id > 1')).toEqual([{ name: '20250820090000_promo' }]);
    await query('ALTER TABLE drizzle.__drizzle_migrations DROP COLUMN name');
    expect(blocks((await drizzle.preflight(cx, ours)).findings)).toContain('drizzle-needs-command');
    await done();
  });

  test('the scenario’s migration is carried by the scenario’s own command', async () => {
    const url = await cluster.create('bazaar');
    await build(url, 'production');
    const example = resolve('examples/bazaar-vid');
    const names = readdirSync(join(example, 'drizzle'), { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => relative(example, join(e.parentPath, e.name)));
    const files = filesOf(Object.fromEntries(['package.json', ...names].map((name) => [name, readFileSync(join(example, name), 'utf8')])));
    const made = await stepContext(url);
    const cx = {
      ...made.cx,
      files,
      exec: execWith((text) => text),
      workingDirectory: example,
      quiet: <T>(work: (exclusive: boolean) => Promise<T>) => work(true),
    };
    const spec = {
      migrations: 'drizzle',
      command: 'npm run --silent db:migrate',
      creates: ['bazaar-vid_promo_codes', 'bazaar-vid_promo_code_usage', 'bazaar-vid_paywall_events', 'bazaar-vid_paywall_analytics'],
    };
    expect((await drizzle.preflight(cx, spec)).findings).toEqual([]);
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, spec, slot);
    expect((await drizzle.verify(cx, spec, slot.last!)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    await drizzle.undo(cx, spec, slot.last, slot);
    await drizzle.apply(cx, spec, new MemorySlot<Receipt>());
    expect((await drizzle.verify(cx, spec, slot.last!)).checks.map((c) => c.verdict)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    await made.close();
  });

  test('nothing pending is a fine result, said aloud', async () => {
    const { cx, done } = await at(journal(['0000_baseline', at0, baseline]));
    const spec = { migrations: 'drizzle', creates: ['app-user'] };
    const result = await drizzle.preflight(cx, spec);
    expect(result.done).toBe(true);
    expect(result.findings.map((f) => f.code)).toEqual(['already-done']);
    const slot = new MemorySlot<Receipt>();
    await drizzle.apply(cx, spec, slot);
    expect((await drizzle.verify(cx, spec, slot.last!)).checks.filter((c) => c.verdict === 'fail')).toEqual([]);
    await drizzle.undo(cx, spec, slot.last, slot);
    await done();
  });
});
