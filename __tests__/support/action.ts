import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** How the runner would have seen one step of ours. */
export interface StepEnded {
  readonly code: number;
  /** standard output and error as they came, before the runner masks */
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly summary: string;
}

export interface StepOptions {
  readonly inputs: Readonly<Record<string, string>>;
  /** GITHUB_*, ACTIONS_*, STATE_* beyond the fixed ones */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** the Node that runs it; default this one */
  readonly node?: string;
  /** called with the child when it has printed a line that matches */
  readonly when?: { readonly seen: RegExp; readonly act: (child: ChildProcess) => void };
}

const KEPT = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'PGBIN'] as const;

/** Runs dist/index.js as the runner does: inputs, files for outputs, state and summary, a directory for temporary files; nothing else of our environment. */
export async function actionStep(options: StepOptions): Promise<StepEnded> {
  const directory = mkdtempSync(join(tmpdir(), 'lossless-step-'));
  // As on a runner: a private server, which is never root, must reach what lies below.
  chmodSync(directory, 0o755);
  const file = (name: string): string => {
    writeFileSync(join(directory, name), '');
    return join(directory, name);
  };
  mkdirSync(join(directory, 'temp'));
  const files = { GITHUB_OUTPUT: file('output'), GITHUB_STATE: file('state'), GITHUB_STEP_SUMMARY: file('summary') };
  const env: Record<string, string> = {
    ...Object.fromEntries(KEPT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTOR: 'octo-maintainer',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_RUN_ID: '4711',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_REPOSITORY: 'octo/app',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_EVENT_NAME: 'workflow_dispatch',
    RUNNER_TEMP: join(directory, 'temp'),
    ...files,
    ...options.env,
  };
  for (const [name, value] of Object.entries(options.inputs)) env[`INPUT_${name.toUpperCase()}`] = value;

  const child = spawn(options.node ?? process.execPath, [resolve('dist/index.js')], { env, cwd: options.cwd ?? directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  let acted = false;
  const heard = (chunk: Buffer): void => {
    log += chunk.toString();
    if (!acted && options.when?.seen.test(log) === true) {
      acted = true;
      options.when.act(child);
    }
  };
  child.stdout.on('data', heard);
  child.stderr.on('data', heard);
  const code = await new Promise<number>((done) => {
    child.once('close', (status, signal) => {
      done(status ?? (signal === null ? -1 : 128));
    });
  });
  const ended = {
    code,
    log,
    outputs: pairs(readFileSync(files.GITHUB_OUTPUT, 'utf8')),
    state: pairs(readFileSync(files.GITHUB_STATE, 'utf8')),
    summary: readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8'),
  };
  rmSync(directory, { recursive: true, force: true });
  return ended;
}

/** `name<<delimiter`, value, delimiter: how @actions/core writes outputs and state. */
function pairs(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^([^\n]+?)<<(ghadelimiter_[\w-]+)\n([\s\S]*?)\n\2$/gm)].map((m) => [m[1] ?? '', m[3] ?? '']));
}
