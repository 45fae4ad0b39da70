import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
const dayMs = 86_400_000;

/** A phase ended in another way than it had to. */
export class Unexpected extends Error {}

/**
 * Runs phases in a terminal as a person would, one process each, on a clock that is moved by whole days.
 *
 * @param {{ plan: string, store: string, env: Record<string, string>, say: (line: string) => void }} options
 *   env: inputs as LOSSLESS_<NAME>; say: receives every line as it comes
 */
export function journey({ plan, store, env, say }) {
  const outputFolder = join(store, 'outputs');
  mkdirSync(outputFolder, { recursive: true, mode: 0o700 });
  const done = [];
  let child = null;

  /**
   * @param {string} phase
   * @param {{ day?: number, confirm?: string, ends?: number }} [options] ends: the exit code it must have (0 passed, 2 refused)
   * @returns {Promise<{ outputs: Record<string, string>, text: string }>} errors: Unexpected, with the last lines
   */
  async function run(phase, { day = 0, confirm, ends = 0 } = {}) {
    const outputFile = join(outputFolder, `${String(done.length + 1).padStart(2, '0')}-${phase}`);
    const now = new Date(Date.now() + day * dayMs).toISOString();
    const args = [
      cli,
      phase,
      '--plan',
      plan,
      '--store',
      store,
      '--now',
      now,
      '--output-file',
      outputFile,
      ...(confirm === undefined ? [] : ['--confirm', confirm]),
    ];
    const began = Date.now();
    say(`day ${day}: ${phase}`);
    // Its own process group: Ctrl-C reaches it only through us, as a cancelled job's does.
    child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    let rest = '';
    const hear = (chunk) => {
      text += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) if (line.trim() !== '') say(`  ${line}`);
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
    child = null;
    if (rest.trim() !== '') say(`  ${rest}`);
    const outputs = code === 70 ? {} : outputsOf(outputFile);
    done.push({ phase, day, ms: Date.now() - began, outcome: outputs.outcome ?? `exit ${code}`, longestLockMs: outputs['longest-lock-ms'] });
    if (code !== ends) throw new Unexpected(`${phase} on day ${day} ended with ${code}, expected ${ends}:\n${text.trim().split('\n').slice(-25).join('\n')}`);
    return { outputs, text };
  }

  return { run, done, cancel: () => child?.kill('SIGINT') };
}

function outputsOf(file) {
  try {
    return Object.fromEntries(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  } catch {
    // A phase that never began has no outputs.
    return {};
  }
}
