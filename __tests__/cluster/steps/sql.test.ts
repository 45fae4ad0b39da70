import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Counts } from '../../../src/steps/row-guard.js';
import { sql } from '../../../src/steps/sql.js';
import type { StepContext } from '../../../src/steps/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { filesOf } from '../../support/plan-files.js';
import { Killed, MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

type Receipt = Parameters<typeof sql.verify>[2];
const schema = `
CREATE TABLE "Users" (id int PRIMARY KEY, name text);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES "Users" ON DELETE CASCADE);
CREATE TABLE empty (id int);
INSERT INTO "Users" SELECT i, 'u' || i FROM generate_series(1, 20) i;
INSERT INTO posts SELECT i, 1 + i % 20 FROM generate_series(1, 100) i;`;

describe('sql', () => {
  let cluster: Cluster;
  let template = '';
  let number = 0;
  const open: TestContext[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    template = 'sql_template';
    const url = await cluster.create(template);
    await run(url, schema);
  });
  afterAll(async () => {
    await cluster.remove();
  });

  async function run(url: string, text: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** A database of its own with the step's files; `rows` answers a query of one value. */
  async function at(
    files: Record<string, string>,
    options: Parameters<typeof stepContext>[1] = {},
  ): Promise<{ cx: StepContext; test: TestContext; url: string; value: (text: string) => Promise<unknown>; done: () => Promise<void> }> {
    number += 1;
    const name = `sql_${String(number)}`;
    const url = await cluster.create(name, template);
    const context = await stepContext(url, options);
    open.push(context);
    return {
      cx: { ...context.cx, files: filesOf(files) },
      test: context,
      url,
      value: async (text) => Object.values((await run(url, text)).rows[0] as Record<string, unknown>)[0],
      done: async () => {
        await context.close();
        await cluster.drop(name);
      },
    };
  }

  test('runs once, is verified, undone, run again and cleaned without a trace', async () => {
    const { cx, value, done } = await at({
      'a.sql': `CREATE TABLE made (id int); INSERT INTO made VALUES (1); UPDATE "Users" SET name = 'x' WHERE id = 1; INSERT INTO posts VALUES (101, 1)`,
      'b.sql': `DROP TABLE made; UPDATE "Users" SET name = 'u1' WHERE id = 1; DELETE FROM posts WHERE id = 101`,
    });
    const spec = { file: 'a.sql', undo: 'b.sql' };
    expect((await sql.preflight(cx, spec)).findings.filter((f) => f.severity === 'block')).toEqual([]);
    const slot = new MemorySlot<Receipt>();
    await sql.apply(cx, spec, slot);
    await sql.apply(cx, spec, slot);
    expect(await value('SELECT count(*)::int FROM made')).toBe(1);
    const verified = await sql.verify(cx, spec, slot.last!);
    expect(verified.checks.map((c) => c.verdict)).toEqual(['pass', 'pass']);
    expect(verified.tables.map((t) => `${t.table} ${String(t.before)} ${String(t.after)}`)).toEqual(['public.posts 100 101', 'public.made null 1']);
    expect((await sql.preflight(cx, spec)).done).toBe(true);
    expect(await sql.canUndo(cx, spec, slot.last!)).toEqual([]);
    await run((await Promise.resolve(cx)).db.target.url, `INSERT INTO posts VALUES (200, 2)`);
    await sql.undo(cx, spec, slot.last);
    await sql.undo(cx, spec, slot.last);
    expect(await value('SELECT count(*)::int FROM posts')).toBe(101);
    expect(await value("SELECT to_regclass('made') IS NULL")).toBe(true);
    const again = new MemorySlot<Receipt>();
    await sql.apply(cx, spec, again);
    expect(await value('SELECT count(*)::int FROM made')).toBe(1);
    await sql.cleanup(cx, spec, again.last!);
    await sql.cleanup(cx, spec, again.last!);
    expect(await value("SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'lossless' AND relkind = 'r'")).toBe(
      0,
    );
    await done();
  });

  test.each([
    ['DELETE', `DELETE FROM posts WHERE id <= 3`, 'public.posts: 100 rows before, 97 after, 3 lost'],
    ['a cascade', `DELETE FROM "Users" WHERE id = 2`, 'public.posts: 100 rows before, 95 after, 5 lost'],
    ['TRUNCATE', `TRUNCATE "Users" CASCADE`, 'public.Users: 20 rows before, 0 after, 20 lost'],
    [
      'DROP and CREATE of a table (Sprint 32)',
      `DROP TABLE "Users" CASCADE; CREATE TABLE "Users" (id uuid PRIMARY KEY, name text)`,
      'public.Users: 20 rows before, 0 after, 20 lost',
    ],
    ['DROP TABLE', `DROP TABLE posts`, 'public.posts: 100 rows before, the table is gone after'],
    ['a rename', `ALTER TABLE posts RENAME TO articles`, 'public.posts: 100 rows before, the table is gone after'],
    [
      'a trigger that deletes at commit',
      `CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.posts; RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER eat AFTER INSERT ON empty DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION eat(); INSERT INTO empty VALUES (1)`,
      'public.posts: 100 rows before, 0 after, 100 lost',
    ],
    [
      'a search path and a role left behind',
      `SET search_path = pg_temp; SET row_security = on; DELETE FROM public.posts WHERE id = 1`,
      'public.posts: 100 rows before, 99 after, 1 lost',
    ],
  ])('the row guard rolls back %s', async (_name, text, message) => {
    const { cx, value, done } = await at({ 'a.sql': text });
    const slot = new MemorySlot<Receipt>();
    await expect(sql.apply(cx, { file: 'a.sql', undo: 'none' }, slot)).rejects.toThrow(message);
    expect(slot.last?.state).toBe('started');
    expect(await value('SELECT (SELECT count(*) FROM "Users")::int * 1000 + (SELECT count(*) FROM posts)::int')).toBe(20100);
    await sql.undo(cx, { file: 'a.sql', undo: 'none' }, slot.last);
    expect(await value('SELECT count(*)::int FROM lossless.done')).toBe(0);
    await done();
  });

  test('loses what the plan names, keeps what the plan says stays the same', async () => {
    const { cx, value, done } = await at({ 'a.sql': `DELETE FROM posts WHERE id <= 3; DROP TABLE empty`, 'b.sql': `INSERT INTO posts VALUES (101, 1)` });
    await sql.apply(cx, { file: 'a.sql', undo: 'none', rows: { posts: 'fewer', empty: 'any' } }, new MemorySlot<Receipt>());
    expect(await value('SELECT count(*)::int FROM posts')).toBe(97);
    await expect(sql.apply({ ...cx, stepId: 'other' }, { file: 'b.sql', undo: 'none', rows: { posts: 'same' } }, new MemorySlot<Receipt>())).rejects.toThrow(
      'public.posts: 97 rows before, 98 after; the plan says same',
    );
    await done();
  });

  test('rows that names no table is refused', async () => {
    const { cx, done } = await at({ 'a.sql': 'SELECT 1' });
    expect((await sql.preflight(cx, { file: 'a.sql', undo: 'none', rows: { users: 'any' } })).findings.map((f) => `${f.severity} ${f.code}`)).toEqual([
      'block table-not-found',
      'warn undo-none',
    ]);
    await done();
  });

  test.each([
    ['CREATE INDEX CONCURRENTLY ON posts (user_id)', 'concurrently'],
    ['UPDATE "Users" SET name = name WHERE id = 1; COMMIT; DELETE FROM posts WHERE id = 1', 'transaction-control'],
    ['DROP TABLE posts', 'drop-table'],
  ])('%s is refused beforehand', async (text, code) => {
    const { cx, done } = await at({ 'a.sql': text }, { allow: ['concurrently', 'transaction-control'] });
    expect((await sql.preflight(cx, { file: 'a.sql', undo: 'none' })).findings.filter((f) => f.severity === 'block').map((f) => f.code)).toEqual([code]);
    await done();
  });

  test('a COMMIT that the parser never saw is noticed', async () => {
    const { cx, done } = await at({ 'a.sql': 'COMMIT; BEGIN; SELECT 1' });
    await expect(sql.apply(cx, { file: 'a.sql', undo: 'none' }, new MemorySlot<Receipt>())).rejects.toThrow('was ended by the SQL inside it');
    await done();
  });

  test('an error names the line of the file and leaves nothing', async () => {
    const { cx, value, done } = await at({ 'a.sql': `INSERT INTO posts VALUES (101, 1);\nINSERT INTO nowhere VALUES (1)` });
    await expect(sql.apply(cx, { file: 'a.sql', undo: 'none' }, new MemorySlot<Receipt>())).rejects.toMatchObject({
      sqlstate: '42P01',
      more: { at: { file: 'a.sql', line: 2, column: 13 } },
    });
    expect(await value('SELECT count(*)::int FROM posts')).toBe(100);
    await done();
  });

  test('under writers the counts are exact and 40001 starts it again', async () => {
    const { cx, test: context, url, value, done } = await at({ 'a.sql': `UPDATE "Users" SET name = name || '!' WHERE id <= 10` });
    let refused = 0;
    let wrote = 0;
    context.onEvent = (event) => {
      if (event.type === 'lock-refused') refused += 1;
    };
    let stop = false;
    const writer = async (): Promise<void> => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      while (!stop) {
        await client.query('DELETE FROM posts WHERE id = (SELECT min(id) FROM posts)');
        await client.query(`UPDATE "Users" SET name = 'w' WHERE id = $1`, [1 + (wrote % 10)]);
        wrote += 1;
        if (refused >= 2) await new Promise((r) => setTimeout(r, 400));
      }
      await client.end();
    };
    // the writer changes a row between the guard's snapshot and the author's UPDATE
    const slow = { ...cx, files: filesOf({ 'a.sql': `SELECT pg_sleep(0.2); UPDATE "Users" SET name = name || '!' WHERE id <= 10` }) };
    const writing = writer();
    const slot = new MemorySlot<Receipt>();
    await sql.apply(slow, { file: 'a.sql', undo: 'none', rows: { Users: 'same', posts: 'same' } }, slot);
    stop = true;
    await writing;
    expect(refused).toBeGreaterThanOrEqual(1);
    expect(slot.last?.state).toBe('committed');
    const counted = (counts: Counts | null): number | undefined => counts?.find((c) => c.name === 'posts')?.rows;
    expect(counted(slot.last?.before ?? null)).toBe(counted(slot.last?.after ?? null));
    expect(await value('SELECT count(*)::int FROM "Users"')).toBe(20);
    await done();
  });

  test('killed at any save it is applied exactly once', async () => {
    for (const dieAt of [1, 2]) {
      const { cx, value, done } = await at({ 'a.sql': `INSERT INTO posts VALUES (101, 1)`, 'b.sql': 'DELETE FROM posts WHERE id = 101' });
      const spec = { file: 'a.sql', undo: 'b.sql' };
      const slot = new MemorySlot<Receipt>(dieAt);
      await expect(sql.apply(cx, spec, slot)).rejects.toThrow(Killed);
      slot.dieAt = 0;
      await sql.apply(cx, spec, slot);
      expect(await value('SELECT count(*)::int FROM posts')).toBe(101);
      expect(slot.last?.state).toBe('committed');
      expect(slot.last?.after).not.toBeNull();
      await sql.undo(cx, spec, slot.last);
      expect(await value('SELECT count(*)::int FROM posts')).toBe(100);
      await done();
    }
  });

  test('an undo that would take rows written since is rolled back', async () => {
    const { cx, url, value, done } = await at({ 'a.sql': `CREATE TABLE made (id int); INSERT INTO made VALUES (1)`, 'b.sql': 'DROP TABLE made' });
    const spec = { file: 'a.sql', undo: 'b.sql' };
    const slot = new MemorySlot<Receipt>();
    await sql.apply(cx, spec, slot);
    await run(url, 'INSERT INTO made VALUES (2), (3)');
    expect((await sql.canUndo(cx, spec, slot.last!)).map((f) => `${f.severity} ${f.code} ${String(f.count)}`)).toEqual(['block undo-loses-rows 2']);
    await expect(sql.undo(cx, spec, slot.last)).rejects.toThrow('public.made: 3 rows before, the table is gone after');
    expect(await value('SELECT count(*)::int FROM made')).toBe(3);
    await done();
  });

  test('a lock that made writers wait is reported with its time; a table of its own is not', async () => {
    const { cx, test: context, done } = await at({ 'a.sql': 'CREATE TABLE made (id int); ALTER TABLE posts ADD COLUMN note text' });
    await sql.apply(cx, { file: 'a.sql', undo: 'none' }, new MemorySlot<Receipt>());
    expect(context.events.flatMap((e) => (e.type === 'lock-held' ? [[e.object, e.ms > 0]] : []))).toEqual([['public.posts', true]]);
    await done();
  });

  test('keep-<step-id> keeps a step that could be undone', async () => {
    const { cx, value, done } = await at({ 'a.sql': 'INSERT INTO posts VALUES (101, 1)', 'b.sql': 'DELETE FROM posts WHERE id = 101' });
    const spec = { file: 'a.sql', undo: 'b.sql' };
    const slot = new MemorySlot<Receipt>();
    await sql.apply(cx, spec, slot);
    await sql.undo({ ...cx, allow: new Set(['keep-the-step']) }, spec, slot.last);
    expect(await value('SELECT count(*)::int FROM posts')).toBe(101);
    await done();
  });

  test('undo: none blocks a rollback unless it is allowed by name', async () => {
    const { cx, value, done } = await at({ 'a.sql': `INSERT INTO posts VALUES (101, 1)` });
    const spec = { file: 'a.sql', undo: 'none' };
    const slot = new MemorySlot<Receipt>();
    await sql.apply(cx, spec, slot);
    expect((await sql.canUndo(cx, spec, slot.last!)).map((f) => f.code)).toEqual(['undo-none']);
    expect(await sql.canUndo({ ...cx, allow: new Set(['keep-the-step']) }, spec, slot.last!)).toEqual([]);
    await sql.undo(cx, spec, slot.last);
    expect(await value('SELECT count(*)::int FROM posts')).toBe(101);
    await done();
  });
});
