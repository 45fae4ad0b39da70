import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { execWith } from '../../../src/host/exec.js';
import { command } from '../../../src/steps/command.js';
import type { StepContext } from '../../../src/steps/step.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { filesOf } from '../../support/plan-files.js';
import { Killed, MemorySlot, stepContext, type TestContext } from '../../support/step-context.js';

type Receipt = Parameters<typeof command.verify>[2];

describe('command', () => {
  let cluster: Cluster;
  let dir = '';
  let number = 0;
  beforeAll(async () => {
    cluster = await startCluster();
    dir = mkdtempSync(join(tmpdir(), 'lossless-command-'));
    writeFileSync(
      join(dir, 'package.json'),
      JSON.stringify({ scripts: { fill: 'true', 'db:sync': 'drizzle-kit push --force', prefill: 'drizzle-kit generate' } }),
    );
  });
  afterAll(async () => {
    await cluster.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  async function at(
    options: { exclusive?: boolean; allow?: string[]; maintenance?: null } = {},
  ): Promise<{ cx: StepContext; test: TestContext; psql: string; value: (text: string) => Promise<unknown>; done: () => Promise<void> }> {
    number += 1;
    const name = `command_${String(number)}`;
    const url = await cluster.create(name);
    const test = await stepContext(url, { allow: options.allow ?? [] });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('CREATE TABLE users (id int); INSERT INTO users SELECT generate_series(1, 10)');
    return {
      cx: {
        ...test.cx,
        files: filesOf({}),
        exec: execWith((text) => text),
        workingDirectory: dir,
        quiet: (work) => work(options.exclusive ?? true),
        plan: { ...test.cx.plan, ...(options.maintenance === null ? { maintenance: null } : {}) },
      },
      test,
      psql: `${join(cluster.bin, 'psql')} -X -v ON_ERROR_STOP=1 "$DATABASE_URL" -c`,
      value: async (text) => Object.values((await client.query(text)).rows[0] as Record<string, unknown>)[0],
      done: async () => {
        await client.end();
        await test.close();
        await cluster.drop(name);
      },
    };
  }

  test('runs once with DATABASE_URL, is verified, undone and run again', async () => {
    const { cx, test, psql, value, done } = await at();
    const spec = {
      run: `echo "to \${TARGET_URL#*://}" | cut -c1-6; ${psql} "INSERT INTO users VALUES (11)"`,
      undo: `${psql} "DELETE FROM users WHERE id = 11"`,
      'url-variable': 'TARGET_URL',
    };
    expect((await command.preflight(cx, spec)).findings).toEqual([]);
    const slot = new MemorySlot<Receipt>();
    await command.apply(cx, spec, slot);
    await command.apply(cx, spec, slot);
    expect(await value('SELECT count(*)::int FROM users')).toBe(11);
    expect(test.events.filter((e) => e.type === 'command-line').map((e) => e.line)).toEqual(['to app', 'INSERT 0 1']);
    const verified = await command.verify(cx, spec, slot.last!);
    expect(verified.checks.map((c) => c.verdict)).toEqual(['pass', 'pass']);
    expect(verified.tables.map((t) => `${t.table} ${String(t.before)} ${String(t.after)}`)).toEqual(['public.users 10 11']);
    await command.undo(cx, spec, slot.last);
    expect(await value('SELECT count(*)::int FROM users')).toBe(10);
    await command.apply(cx, spec, new MemorySlot<Receipt>());
    await command.cleanup(cx, spec, slot.last!);
    await done();
  });

  test('a loss that the plan does not name fails the step, and its undo is held to the same', async () => {
    const { cx, psql, value, done } = await at();
    const spec = { run: `${psql} "DELETE FROM users WHERE id <= 4"`, undo: `${psql} "INSERT INTO users SELECT generate_series(1, 4)"` };
    const slot = new MemorySlot<Receipt>();
    await expect(command.apply(cx, spec, slot)).rejects.toThrow('public.users: 10 rows before, 6 after, 4 lost');
    await command.undo(cx, spec, slot.last);
    expect(await value('SELECT count(*)::int FROM users')).toBe(10);
    await command.apply(cx, { ...spec, rows: { users: 'fewer' } }, new MemorySlot<Receipt>());
    const eats = { run: 'true', undo: `${psql} "DELETE FROM users WHERE id > 8"` };
    const other = new MemorySlot<Receipt>();
    await command.apply(cx, eats, other);
    await expect(command.undo(cx, eats, other.last)).rejects.toThrow('2 lost');
    await done();
  });

  test('where others write it refuses, unless the plan says clone-only, and then says so', async () => {
    const { cx, test, done } = await at({ exclusive: false, maintenance: null });
    expect((await command.preflight(cx, { run: 'true', undo: 'true' })).findings.map((f) => `${f.severity} ${f.code}`)).toEqual(['block guard-needs-quiet']);
    const slot = new MemorySlot<Receipt>();
    await expect(command.apply(cx, { run: 'true', undo: 'true' }, slot)).rejects.toThrow('others may be writing');
    expect(slot.last).toBeNull();
    const spec = { run: 'true', undo: 'true', guard: 'clone-only' as const };
    expect((await command.preflight(cx, spec)).findings).toEqual([]);
    await command.apply(cx, spec, slot);
    expect(test.events.some((e) => e.type === 'said' && e.text.includes('on the clone only'))).toBe(true);
    const verified = await command.verify(cx, spec, slot.last!);
    expect(verified.checks[1]?.verdict).toBe('not-measured');
    expect(verified.notCompared.join()).toContain('on the clone only');
    await command.undo(cx, spec, slot.last);
    await done();
  });

  test('killed after the start it is not run again blindly; its undo runs', async () => {
    const { cx, psql, value, done } = await at();
    const spec = { run: `${psql} "INSERT INTO users VALUES (11)"`, undo: `${psql} "DELETE FROM users WHERE id = 11"` };
    const slot = new MemorySlot<Receipt>(1);
    await expect(command.apply(cx, spec, slot)).rejects.toThrow(Killed);
    slot.dieAt = 0;
    await expect(command.apply(cx, spec, slot)).rejects.toThrow('its end is not recorded');
    expect(await value('SELECT count(*)::int FROM users')).toBe(10);
    await command.undo(cx, spec, slot.last);
    await command.undo(cx, spec, null);
    await done();
  });

  test('a failing command shows its last line', async () => {
    const { cx, done } = await at();
    await expect(command.apply(cx, { run: 'echo first; echo the reason >&2; exit 7', undo: 'true' }, new MemorySlot<Receipt>())).rejects.toMatchObject({
      exitCode: 7,
      lastLine: 'the reason',
    });
    await done();
  });

  test('sees nothing of our environment', async () => {
    const { cx, test, done } = await at();
    process.env['LOSSLESS_SECRET'] = 'hidden';
    await command.apply(cx, { run: 'env | cut -d= -f1 | sort', undo: 'true' }, new MemorySlot<Receipt>());
    const names = test.events.filter((e) => e.type === 'command-line').map((e) => e.line);
    expect(names).toEqual(expect.arrayContaining(['DATABASE_URL', 'PGDATABASE', 'PGAPPNAME', 'PATH']));
    expect(names).not.toContain('LOSSLESS_SECRET');
    await done();
  });

  test.each([
    ['npx drizzle-kit push', 'block command-generates'],
    ['cd app && npm run --silent db:sync', 'block command-generates'],
    ['npm run fill', 'block command-generates'],
    ['FOO=1 pnpm exec drizzle-kit generate --name x', 'block command-generates'],
    ['sh -c "node ./node_modules/drizzle-kit/bin.cjs push:pg"', 'block command-generates'],
    ['npx prisma migrate reset', 'block command-generates'],
    ['npm run nowhere', 'block command-script-missing'],
    ['npx drizzle-kit migrate', ''],
    ['echo push', ''],
  ])('%s', async (run, expected) => {
    const { cx, done } = await at();
    expect((await command.preflight(cx, { run, undo: 'true' })).findings.map((f) => `${f.severity} ${f.code}`).join()).toBe(expected);
    if (expected !== '') await expect(command.apply(cx, { run, undo: 'true' }, new MemorySlot<Receipt>())).rejects.toThrow();
    await done();
  });

  test('undo must be said aloud, and none blocks a rollback unless allowed', async () => {
    expect(command.schema.safeParse({ run: 'true' }).error?.issues[0]?.message).toBe('say how the command is taken back: undo: <command>, or undo: none');
    const { cx, done } = await at();
    const slot = new MemorySlot<Receipt>();
    await command.apply(cx, { run: 'true', undo: 'none' }, slot);
    expect((await command.canUndo(cx, { run: 'true', undo: 'none' }, slot.last!)).map((f) => f.code)).toEqual(['undo-none']);
    expect(await command.canUndo({ ...cx, allow: new Set(['keep-the-step']) }, { run: 'true', undo: 'none' }, slot.last!)).toEqual([]);
    await command.undo(cx, { run: 'true', undo: 'none' }, slot.last);
    await done();
  });
});
