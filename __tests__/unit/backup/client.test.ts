import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { findClient, findServer } from '../../../src/backup/client.js';
import { execWith } from '../../../src/host/exec.js';

const root = mkdtempSync(join(tmpdir(), 'client-'));
afterAll(() => {
  rmSync(root, { recursive: true });
});
let made = 0;
/** a directory with programs that answer `--version` as PostgreSQL's do */
const bin = (version: string, programs: readonly string[] = ['pg_dump', 'pg_restore']): string => {
  const dir = mkdtempSync(join(root, `${String((made += 1))}-`));
  for (const program of programs) {
    writeFileSync(join(dir, program), `#!/bin/sh\necho "${program} (PostgreSQL) ${version} (Debian)"\n`);
    chmodSync(join(dir, program), 0o755);
  }
  return dir;
};
const options = (postgresBin: string): Parameters<typeof findClient>[0] => ({
  exec: execWith((t) => t),
  signal: new AbortController().signal,
  major: 15,
  postgresBin,
});

describe('client programs', () => {
  test("of the server's major are taken from the directory given", async () => {
    const dir = bin('15.19');
    expect(await findClient(options(dir))).toMatchObject({ directory: dir, version: '15.19', dump: join(dir, 'pg_dump'), findings: [] });
  });

  test('with known faults are warned about', async () => {
    expect((await findClient(options(bin('15.18')))).findings.map((f) => [f.code, f.severity])).toEqual([['client-outdated', 'warn']]);
  });

  test('of another major, incomplete, or behind a wrapper are refused with the line that installs them', async () => {
    await expect(findClient(options(bin('16.4')))).rejects.toMatchObject({
      message: expect.stringContaining('is of version 16') as unknown,
      more: { hint: expect.stringContaining('apt-get install -y postgresql-client-15') as unknown },
    });
    await expect(findClient(options(bin('15.19', ['pg_dump'])))).rejects.toThrow(/lacks pg_restore/);
    await expect(findServer(options(bin('15.19')))).rejects.toMatchObject({
      message: expect.stringContaining('lacks initdb, pg_ctl') as unknown,
      more: { hint: expect.stringContaining('give a staging-url') as unknown },
    });
    const wrapped = bin('15.19', ['pg_wrapper', 'pg_restore']);
    symlinkSync(join(wrapped, 'pg_wrapper'), join(wrapped, 'pg_dump'));
    await expect(findClient(options(wrapped))).rejects.toThrow(/is Debian's wrapper/);
  });
});
