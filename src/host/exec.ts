import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Aborted, CommandFailed, UserError, type Failure } from '../errors.js';
import type { Exec, ExecOptions } from '../ports.js';

/** After the runner's SIGINT a job has 7.5 s: the child's group gets the interrupt at once, then two firmer words, all before that. */
const LADDER = [
  [0, 'SIGINT'],
  [3000, 'SIGTERM'],
  [5000, 'SIGKILL'],
] as const;
/** A child that forks a server may leave its pipes open in it: we wait this long for the last output, no longer. */
const DRAIN_MS = 2000;
const MAX_COLLECTED = 64 * 1024 * 1024;
const MAX_LINE = 64 * 1024;

/** @param redact applied to argv and to the last line before they enter an error */
export function execWith(redact: (text: string) => string): Exec {
  return async (argv, options) => {
    const [program, ...args] = argv;
    if (program === undefined) throw new UserError('the command is empty', { hint: 'Write a program and its arguments.' });
    if (options.signal.aborted) throw cancelled(options.signal);
    return run(program, args, argv.map(redact), options, redact);
  };
}

function cancelled(signal: AbortSignal): Failure {
  return signal.reason instanceof Aborted ? signal.reason : new Aborted('cancelled', { cause: signal.reason });
}

async function run(
  program: string,
  args: readonly string[],
  shown: readonly string[],
  options: ExecOptions,
  redact: (text: string) => string,
): Promise<{ stdout: string }> {
  const child = spawn(program, args, {
    // Its own process group: cancelling reaches what it forked, and a terminal's Ctrl-C reaches it only through us.
    detached: true,
    env: { ...inherited(), ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });

  const kill = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group is gone already.
    }
  };
  const timers: NodeJS.Timeout[] = [];
  const onAbort = (): void => {
    for (const [ms, signal] of LADDER) {
      if (ms === 0) kill(signal);
      else
        timers.push(
          setTimeout(() => {
            kill(signal);
          }, ms),
        );
    }
  };

  const last = { out: '', err: '' };
  const keep = (stream: 'out' | 'err') => (line: string) => {
    if (line.trim() !== '') last[stream] = line;
    options.onLine?.(line);
  };
  const collected: Buffer[] = [];
  let collectedBytes = 0;
  const collect = (chunk: Buffer): void => {
    collectedBytes += chunk.length;
    if (collectedBytes <= MAX_COLLECTED) collected.push(chunk);
    else kill('SIGKILL');
  };

  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' || error.code === 'EACCES';
      reject(
        missing
          ? new UserError(
              `${redact(program)} cannot be started: ${error.code === 'ENOENT' ? 'no such program or directory' : 'not executable'}${options.cwd === undefined ? '' : ` (in ${options.cwd})`}`,
              {
                hint: 'Install it, or correct the command and its working directory.',
                cause: error,
              },
            )
          : error,
      );
    });
    child.once('exit', (code, signal) => {
      const done = (): void => {
        resolve(code ?? 128 + (signal === null ? 0 : (signals[signal] ?? 0)));
      };
      const stop = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, DRAIN_MS);
      child.once('close', () => {
        clearTimeout(stop);
        done();
      });
    });
  });

  const work: Promise<unknown>[] = [ended];
  if (child.stdout !== null) {
    const consume = options.stdout;
    if (consume === undefined) {
      child.stdout.on('data', collect);
      lines(child.stdout, keep('out'));
    } else {
      work.push(
        consume(child.stdout).catch((error: unknown) => {
          kill('SIGTERM');
          throw error;
        }),
      );
    }
  }
  if (child.stderr !== null) lines(child.stderr, keep('err'));
  if (options.stdin !== undefined && child.stdin !== null) work.push(feed(options.stdin, child.stdin));

  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const settled = await Promise.allSettled(work);
    if (options.signal.aborted) throw cancelled(options.signal);
    const [exit, ...others] = settled;
    if (exit?.status === 'rejected') throw exit.reason;
    const broken = others.find((other) => other.status === 'rejected');
    if (collectedBytes > MAX_COLLECTED) throw new CommandFailed(shown, 1, `it wrote more than ${String(MAX_COLLECTED / 1024 / 1024)} MiB to standard output`);
    // A failing consumer makes the child fail too (EPIPE): its own error is the cause, the child's only the echo.
    if (broken?.status === 'rejected') throw broken.reason;
    if (exit?.value !== 0) throw new CommandFailed(shown, exit?.value as number, redact(last.err === '' ? last.out : last.err));
    return { stdout: Buffer.concat(collected).toString('utf8') };
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    for (const timer of timers) clearTimeout(timer);
  }
}

const signals: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 };

function inherited(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** A child that ends before it has read everything (grep -q, pg_restore -l) is judged by its exit code, not by the broken pipe. */
async function feed(from: NodeJS.ReadableStream, to: NodeJS.WritableStream): Promise<void> {
  try {
    await pipeline(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ERR_STREAM_DESTROYED') throw error;
  }
}

/** Calls back for every line; one longer than 64 KiB is cut into pieces, so a child without line ends cannot grow our memory. */
function lines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new TextDecoder();
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = parts.pop() ?? '';
    for (const part of parts) onLine(part);
    while (rest.length > MAX_LINE) {
      onLine(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
  });
  stream.once('close', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
}
