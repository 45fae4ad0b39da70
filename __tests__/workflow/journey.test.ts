import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { actionStep, type StepEnded } from '../support/action.js';
import { startArtifactService, type ArtifactService } from '../support/artifact-service.js';
import { startCluster, type Cluster } from '../support/cluster.js';

const dir = mkdtempSync(join(tmpdir(), 'lossless-dispatch-'));
let service: ArtifactService;
let cluster: Cluster;
let production = '';
let identity = '';
let recipient = '';

const plan = `name: tidy
maintenance: { on: node say.mjs, off: node say.mjs }
steps:
  - id: unused
    retire-tables: { tables: [old_things], only-if: empty }
  - id: announce
    command: { run: node say.mjs, undo: node say.mjs }
`;
const say = `console.log('::error::forged by a command');\nconsole.log('password is ' + process.env.DATABASE_URL);\n`;

beforeAll(async () => {
  service = await startArtifactService(join(dir, 'service'));
  cluster = await startCluster();
  production = await cluster.create('production');
  await cluster.admin(
    'CREATE TABLE public.old_things (id int PRIMARY KEY); CREATE TABLE public.things (id int PRIMARY KEY, name text); INSERT INTO public.things SELECT i, i::text FROM generate_series(1, 50) i; ALTER TABLE public.old_things OWNER TO app; ALTER TABLE public.things OWNER TO app',
    'production',
  );
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  mkdirSync(join(dir, 'migrations'));
  writeFileSync(join(dir, 'migrations/plan.yml'), plan);
  writeFileSync(join(dir, 'migrations/say.mjs'), say);
});
afterAll(async () => {
  await cluster.remove();
  await service.close();
  rmSync(dir, { recursive: true, force: true });
});

const phase = (run: string, name: string, inputs: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}): Promise<StepEnded> =>
  actionStep({ cwd: dir, inputs: { phase: name, ...inputs }, env: { ...service.env(run), ...env } });

/** true, or what the step said, without the artifact client's chatter. */
const passed = (ended: StepEnded): true | string =>
  ended.code === 0 ||
  ended.log
    .split('\n')
    .filter((line) => !/^::(debug|add-mask)::|rtifact|^Uploaded|^Finished uploading|^Root directory|^Finalizing|^Beginning/.test(line))
    .join('\n');

/** Jobs of the workflows, in two dispatches, because there is no reviewer rule: the second is told the run of the first and the plan id. */
jest.setTimeout(300_000);

describe('a migration dispatched twice', () => {
  let planId = '';
  let run = '';

  test("the first dispatch rehearses: backup, clone and rehearse find each other's artifacts", async () => {
    const access = { 'production-url': production, 'backup-identity': identity };
    const backup = await phase('101', 'backup', { 'production-url': production, 'backup-recipient': recipient });
    expect(passed(backup)).toBe(true);
    expect(backup.outputs['backup-id']).toMatch(/^[0-9a-f]+$/);
    const clone = await phase('101', 'clone', access);
    expect(passed(clone)).toBe(true);
    const rehearse = await phase('101', 'rehearse', access);
    expect(passed(rehearse)).toBe(true);
    planId = rehearse.outputs['plan-id'] ?? '';
    expect(planId).toMatch(/^[0-9a-f]{12}$/);
    expect(rehearse.summary).toContain(planId);
  });

  test('what a command of the plan prints cannot speak to the runner', async () => {
    const { log } = await phase('101', 'rehearse', { 'production-url': production, 'backup-identity': identity }, { GITHUB_RUN_ATTEMPT: '2' });
    const lines = log.split('\n');
    const forged = lines.flatMap((line, i) => (line.includes('forged by a command') ? [i] : []));
    expect(forged.length).toBeGreaterThan(0);
    for (const i of forged) {
      const token = /^::stop-commands::([\w-]+)$/.exec(lines[i - 1] ?? '')?.[1];
      expect(token).toBeDefined();
      expect(lines[i + 1]).toBe(`::${token ?? ''}::`);
    }
  });

  test('without a typed plan id the gate is closed', async () => {
    const gate = await phase('102', 'gate', { 'run-id': '101', 'github-token': 'token' });
    expect(gate).toMatchObject({ code: 1, outputs: { outcome: 'refused' } });
  });

  test('the second dispatch types the plan id, and migrates what the first rehearsed', async () => {
    const second = { 'run-id': '101', confirm: planId, 'github-token': 'token' };
    const gate = await phase('103', 'gate', second);
    expect(passed(gate)).toBe(true);
    const migrate = await phase('103', 'migrate', { ...second, 'production-url': production, 'backup-recipient': recipient, 'backup-identity': identity });
    expect(passed(migrate)).toBe(true);
    run = migrate.outputs['run'] ?? '';
    expect(run).toMatch(/^r[0-9a-f]{8}$/);
    const { rows } = await cluster.admin("SELECT to_regclass('public.old_things') AS gone", 'production');
    expect(rows).toEqual([{ gone: null }]);
  });

  test('watch is green, status knows the run, rollback brings the table back, the post step finds nothing to do', async () => {
    const watch = await phase('104', 'watch', { 'production-url': production });
    expect(passed(watch)).toBe(true);
    const status = await phase('105', 'status', { 'production-url': production });
    expect(status.summary).toContain(run);
    const rollback = await phase('106', 'rollback', { 'production-url': production, confirm: run });
    expect(passed(rollback)).toBe(true);
    const { rows } = await cluster.admin("SELECT to_regclass('public.old_things')::text AS back", 'production');
    expect(rows).toEqual([{ back: 'old_things' }]);
    const post = await phase('106', 'rollback', { 'production-url': production, confirm: run }, { STATE_phase: 'rollback' });
    expect(passed(post)).toBe(true);
  });
});
