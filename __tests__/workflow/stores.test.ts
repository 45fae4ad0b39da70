import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { directoryStore } from '../../src/host/store/directory.js';
import { githubStore } from '../../src/host/store/github.js';
import { openStore } from '../../src/host/store/open.js';
import type { Store } from '../../src/ports.js';
import { startArtifactService, type ArtifactService } from '../support/artifact-service.js';

const root = mkdtempSync(join(tmpdir(), 'lossless-stores-'));
const before = { ...process.env };
let service: ArtifactService;
let run = 1000;
let into = '';

beforeAll(async () => {
  service = await startArtifactService(join(root, 'service'));
  Object.assign(process.env, service.env(String(run)));
});
beforeEach(() => {
  run += 1;
  Object.assign(process.env, service.env(String(run)));
  into = mkdtempSync(join(root, 'into-'));
});
afterAll(async () => {
  process.env = before;
  await service.close();
  rmSync(root, { recursive: true, force: true });
});

const file = (text: string | Buffer): string => {
  const path = join(mkdtempSync(join(root, 'file-')), 'source');
  writeFileSync(path, text);
  return path;
};
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const github = (runId = '', token = 'token', thisRun = String(run)): Promise<Store> =>
  githubStore({ runId, thisRun, repository: 'octo/app', token, retentionDays: 30, retentionCap: '14', scratch: mkdtempSync(join(root, 'scratch-')) });

const stores: readonly (readonly [string, () => Promise<{ store: Store; tamper: (name: string, bytes: Buffer) => void }>])[] = [
  [
    'a directory',
    () => {
      const directory = mkdtempSync(join(root, 'store-'));
      return Promise.resolve({
        store: directoryStore(directory),
        tamper: (name, bytes) => {
          writeFileSync(join(directory, name), bytes);
        },
      });
    },
  ],
  [
    'GitHub artifacts',
    async () => ({
      store: await github(),
      tamper: (name, bytes) => {
        service.tamper(name, bytes);
      },
    }),
  ],
];

describe.each(stores)('a store in %s', (_, open) => {
  test('gives back byte for byte what was put, with its size and sha256', async () => {
    const { store } = await open();
    const bytes = Buffer.from([...Array(300_000).keys()].map((i) => (i * 31) % 251));
    const stored = await store.put('lossless-production-7-1.dump.age', file(bytes));
    expect(stored).toMatchObject({ name: 'lossless-production-7-1.dump.age', digest: sha256(bytes), bytes: bytes.length });
    const path = await store.get('lossless-production-7-1.dump.age', into);
    expect(path).toBe(join(into, 'lossless-production-7-1.dump.age'));
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test('lists names by prefix, newest first, with what put said of them', async () => {
    const { store } = await open();
    await store.put('lossless-production-7-1.manifest.json', file('one'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.put('lossless-production-7-2.manifest.json', file('three'));
    await store.put('lossless-development-7-1.manifest.json', file('two'));
    const found = await store.list('lossless-production-');
    expect(found.map((f) => [f.name, f.digest, f.bytes])).toEqual([
      ['lossless-production-7-2.manifest.json', sha256('three'), 5],
      ['lossless-production-7-1.manifest.json', sha256('one'), 3],
    ]);
    expect(await store.list('nothing')).toEqual([]);
  });

  test('never replaces a file', async () => {
    const { store } = await open();
    await store.put('a.json', file('first'));
    await expect(store.put('a.json', file('second'))).rejects.toThrow(/a\.json is already/);
    expect(readFileSync(await store.get('a.json', into), 'utf8')).toBe('first');
  });

  test('says what is missing and where it looked', async () => {
    const { store } = await open();
    const error = await store.get('nowhere.json', into).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(/^nowhere\.json is not (in|among) the (store|artifacts)/);
    expect((error as UserError).more.hint).not.toBe('');
  });

  test.each([
    ['changed', Buffer.from('forged!')],
    ['cut', Buffer.from('orig')],
  ])('refuses a file that was %s, and leaves nothing of it', async (_how, bytes) => {
    const { store, tamper } = await open();
    await store.put('a.json', file('original'));
    tamper('a.json', bytes);
    await expect(store.get('a.json', into)).rejects.toThrow(/a\.json .*was changed or cut/);
    expect(readdirSync(into)).toEqual([]);
  });

  test('keeps an empty file', async () => {
    const { store } = await open();
    expect((await store.put('empty.json', file(''))).bytes).toBe(0);
    expect(readFileSync(await store.get('empty.json', into), 'utf8')).toBe('');
  });
});

describe('a directory', () => {
  test('is closed to other users, and sha256sum can check it', async () => {
    const directory = join(root, 'closed');
    await directoryStore(directory).put('a.json', file('x'));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'a.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(directory, 'a.json.sha256'), 'utf8')).toBe(`${sha256('x')}  a.json\n`);
    expect(readdirSync(directory).sort()).toEqual(['a.json', 'a.json.sha256']);
  });

  test('of many runs shows only those that were asked for', async () => {
    const directory = join(root, 'runs');
    for (const name of ['lossless-production-5-1.manifest.json', 'lossless-production-6-1.manifest.json', 'lossless-production-7-1.manifest.json'])
      await directoryStore(directory).put(name, file(name));
    const names = async (runs: string[]): Promise<string[]> => (await directoryStore(directory, runs).list('lossless-')).map((f) => f.name).sort();
    expect(await names(['5', '7'])).toEqual(['lossless-production-5-1.manifest.json', 'lossless-production-7-1.manifest.json']);
    expect(await names([])).toHaveLength(3);
  });

  test.each(['../a', '.hidden', 'a/b', 'a\nb', 'a:b'])('refuses the name %j', async (name) => {
    await expect(directoryStore(join(root, 'names')).put(name, file('x'))).rejects.toBeInstanceOf(UserError);
  });
});

describe('GitHub artifacts', () => {
  test('expire when the repository lets them, not when we asked', async () => {
    const { expires } = await (await github()).put('a.json', file('x'));
    const days = ((expires?.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(13.9);
    expect(days).toBeLessThan(14.1);
  });

  test("of another run are read beside this run's own", async () => {
    const rehearsed = String(run);
    await (await github()).put('lossless-production-1-1.rehearsal.json', file('rehearsed'));
    run += 1;
    Object.assign(process.env, service.env(String(run)));
    const store = await github(rehearsed);
    await store.put('lossless-production-2-1.approval.json', file('approved'));
    expect((await store.list('lossless-production-')).map((f) => f.name).sort()).toEqual([
      'lossless-production-1-1.rehearsal.json',
      'lossless-production-2-1.approval.json',
    ]);
    expect(readFileSync(await store.get('lossless-production-1-1.rehearsal.json', into), 'utf8')).toBe('rehearsed');
    expect(readFileSync(await store.get('lossless-production-2-1.approval.json', into), 'utf8')).toBe('approved');
  });

  test('of another run need a token, and a run that is a number', async () => {
    await expect(github('99', '')).rejects.toThrow(/github-token is empty/);
    await expect(github('latest')).rejects.toThrow(/expected the number of a GitHub run/);
  });

  test('survive a service that is away for a moment', async () => {
    service.failNext(/^twirp:CreateArtifact/, 503);
    expect((await (await github()).put('a.json', file('x'))).digest).toBe(sha256('x'));
  });

  test('that were stored although the answer was lost count as stored', async () => {
    const store = await github();
    service.loseAnswer(/^twirp:FinalizeArtifact/);
    expect((await store.put('a.json', file('x'))).digest).toBe(sha256('x'));
    expect(await store.list('a')).toHaveLength(1);
  });

  test('that cannot be listed are an error that says whose fault it is', async () => {
    const store = await github();
    service.failNext(/^twirp:ListArtifacts/, 403);
    await expect(store.list('')).rejects.toThrow(/may not read the artifacts/);
  });
});

describe('the input store', () => {
  test('refuses what comes with a later version or does not exist here', async () => {
    await expect(openStore('s3://bucket/x', [], null)).rejects.toThrow(/later version/);
    await expect(openStore('github', [], null)).rejects.toThrow(/only inside GitHub Actions/);
    await expect(openStore('ftp://x', [], null)).rejects.toThrow(/expected github or the path of a directory/);
  });
});
