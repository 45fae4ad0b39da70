import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly outputs: Readonly<Record<string, string>>;
}

export interface TerminalCall {
  readonly plan?: string;
  readonly store: string;
  /** inputs by their names; secrets go through the environment like all others */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly now?: string;
  /** a script instead of the command line, called with phase, plan and store */
  readonly script?: string;
  readonly scriptArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a phase as a user does in a terminal: a process of its own, compiled code, inputs from LOSSLESS_<NAME>. */
export function terminal(phase: string, call: TerminalCall): Promise<Ended> {
  const outputFile = join(call.store, `outputs-${String(process.pid)}-${String(Date.now())}-${phase}`);
  const inputs = Object.fromEntries(Object.entries(call.inputs ?? {}).map(([name, value]) => [`LOSSLESS_${name.replaceAll('-', '_').toUpperCase()}`, value]));
  const argv =
    call.script === undefined
      ? [
          join(root, 'lib/cli.js'),
          phase,
          ...(call.plan === undefined ? [] : ['--plan', call.plan]),
          '--store',
          call.store,
          '--output-file',
          outputFile,
          ...(call.now === undefined ? [] : ['--now', call.now]),
        ]
      : [call.script, phase, call.plan ?? '', call.store, ...(call.scriptArgs ?? [])];
  const child = spawn(process.execPath, argv, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...inputs, ...call.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (d: Buffer) => (out += d.toString()));
  child.stderr.on('data', (d: Buffer) => (out += d.toString()));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => done({ code, signal, out, outputs: readOutputs(outputFile) }));
  });
}

function readOutputs(file: string): Readonly<Record<string, string>> {
  try {
    return Object.fromEntries(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((l) => l !== '')
        .map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]),
    );
  } catch {
    return {};
  }
}

/**
 * `pg_dump -s` as lines that mean something: without our schemas, without our triggers on the application's tables (their names carry the run),
 * and without what differs between two dumps of one database.
 */
export async function schemaText(bin: string, url: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(bin, 'pg_dump'), ['-s', '--exclude-schema=lossless*', url], { maxBuffer: 1 << 26 });
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !/^\\(un)?restrict |^--|lossless_/.test(line))
    .join('\n');
}

/** Fails with everything the phase said when it ended otherwise than with `code`. */
export function expectCode(ended: Ended, code: number): void {
  if (ended.code !== code) throw new Error(`expected exit code ${String(code)}, found ${String(ended.code ?? ended.signal)}:\n${ended.out}`);
}
