import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { parse } from 'yaml';
import { actionStep } from '../support/action.js';
import { startArtifactService, type ArtifactService } from '../support/artifact-service.js';
import { startCluster, type Cluster } from '../support/cluster.js';

interface Block {
  readonly language: string;
  readonly text: string;
}

const readme = readFileSync('README.md', 'utf8');
const blocks: readonly Block[] = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((m) => ({ language: m[1] ?? '', text: m[2] ?? '' }));
const [plan, commands, workflow, ...rest] = blocks;

const dir = mkdtempSync(join(tmpdir(), 'lossless-readme-'));
let cluster: Cluster;
let service: ArtifactService;

beforeAll(async () => {
  // A private server, which is never root, must reach what lies below.
  chmodSync(dir, 0o755);
  cluster = await startCluster();
  service = await startArtifactService(join(dir, 'service'));
  await cluster.create('template');
  await cluster.admin(
    `SET ROLE app;
     CREATE TABLE public.customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
     CREATE TABLE public.orders (id serial PRIMARY KEY, customer_id text NOT NULL, total numeric);
     CREATE TABLE public.orders_import (id int PRIMARY KEY);
     INSERT INTO public.customers (name) SELECT 'customer ' || i FROM generate_series(1, 40) i;
     INSERT INTO public.orders (customer_id, total) SELECT id::text, 10 FROM public.customers;
     INSERT INTO public.orders (customer_id, total) VALUES (gen_random_uuid()::text, 1), ('nobody', 2);`,
    'template',
  );
  mkdirSync(join(dir, 'migrations'));
  mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true });
  chmodSync('dist/cli/index.js', 0o755);
  symlinkSync(resolve('dist/cli/index.js'), join(dir, 'node_modules/.bin/lossless'));
  writeFileSync(join(dir, 'package.json'), '{ "name": "shop", "private": true }');
  writeFileSync(join(dir, 'migrations/plan.yml'), plan?.text ?? '');
});
afterAll(async () => {
  await cluster.remove();
  await service.close();
  rmSync(dir, { recursive: true, force: true });
});

// Ten processes one after the other, and a passphrase that is slow to derive on purpose.
jest.setTimeout(400_000);

describe('the README', () => {
  test('is at most 200 lines, and has exactly the blocks that are executed here: a plan, commands, a workflow', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(201);
    expect(blocks.map((block) => block.language)).toEqual(['yaml', 'sh', 'yaml']);
    expect(rest).toEqual([]);
  });

  test('links only to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((m) => m[1] ?? '');
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect(() => readFileSync(link.endsWith('workflows') ? `${link}/migrate.yml` : link)).not.toThrow();
  });

  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = [...`${readme}${readFileSync('CONTRIBUTING.md', 'utf8')}`.matchAll(/`npm (?:run )?([\w:-]+)/g)]
      .map((m) => m[1] ?? '')
      .filter((name) => name !== 'ci');
    expect(named.length).toBeGreaterThan(2);
    for (const name of named) expect(Object.keys(scripts)).toContain(name);
  });

  test('its commands carry its plan through every phase and back, as printed', async () => {
    const url = await cluster.create('production', 'template');
    const { code, out } = await shell(commands?.text ?? '', url);
    expect(code === 0 ? 0 : out).toBe(0);
    const { rows } = await cluster.admin(
      "SELECT count(*)::int AS orders, pg_typeof(max(customer_id))::text AS type, to_regclass('public.orders_import') IS NOT NULL AS back FROM public.orders",
      'production',
    );
    expect(rows).toEqual([{ orders: 42, type: 'text', back: true }]);
  });

  test('its workflow rehearses, as printed', async () => {
    const url = await cluster.create('printed', 'template');
    const secrets: Readonly<Record<string, string>> = { PROD_READ_DATABASE_URL: url, BACKUP_PASSPHRASE: 'correct horse battery staple' };
    const { jobs } = parse(workflow?.text ?? '') as { jobs: Record<string, { steps: { uses: string; with: Record<string, string> }[] }> };
    const steps = Object.values(jobs).flatMap((job) => job.steps.filter((step) => step.uses.startsWith('lossless/')));
    expect(steps.map((step) => step.with['phase'])).toEqual(['backup', 'rehearse']);
    for (const step of steps) {
      const inputs = Object.fromEntries(
        Object.entries(step.with).map(([name, value]) => [name, value.replace(/\$\{\{ secrets\.(\w+) \}\}/g, (_, secret: string) => secrets[secret] ?? '')]),
      );
      const ended = await actionStep({ cwd: dir, inputs, env: service.env('9') });
      expect(ended.code === 0 ? 0 : ended.log).toBe(0);
    }
  });
});

function shell(text: string, url: string): Promise<{ code: number | null; out: string }> {
  const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', text], {
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LOSSLESS_PRODUCTION_URL: url, npm_config_update_notifier: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((done) =>
    child.once('close', (code) => {
      done({ code, out });
    }),
  );
}
