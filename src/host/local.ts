import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { toFailure } from '../errors.js';
import { inputNames, inputTable, readInputs, type InputName } from '../inputs.js';
import type { Host, Report } from '../ports.js';
import type { Event, RunResult } from '../report/event.js';
import { progressMeter } from '../report/progress.js';
import { redactAll, redactor, secretForms } from '../report/redact.js';
import { amount, ending, text } from '../report/text.js';
import { exitCodeOf, exitCodeOfFailure, outputLines, writeReports } from './ending.js';
import { execWith } from './exec.js';
import { cancellation, endWith } from './signals.js';
import { openStore } from './store/open.js';

/** What the command line said beyond inputs. */
export interface TerminalOptions {
  /** flags by input name; an absent one is read from `LOSSLESS_<NAME>` */
  readonly flags: Readonly<Partial<Record<InputName, string>>>;
  readonly phase: string;
  /** the moved clock, allowed only for loopback and socket servers (run.ts decides) */
  readonly now: Date | null;
  /** outputs are appended here as name=value lines */
  readonly outputFile: string | null;
  /** null: the store's directory */
  readonly reportDir: string | null;
}

const DEFAULT_STORE = './.runs';
const CANCELLED = 3;

/** `production-url` → `LOSSLESS_PRODUCTION_URL`: so that no secret need stand in argv. */
export const variableOf = (name: InputName): string => `LOSSLESS_${name.replaceAll('-', '_').toUpperCase()}`;

/** Runs one phase with a terminal around it: log and progress bars on stderr, the ending on stdout, the exit code of SPEC. Never rejects. */
export async function inTerminal(options: TerminalOptions, run: (host: Host, phase: string) => Promise<RunResult>): Promise<void> {
  const redact = redactor();
  try {
    await run(await terminalHost(options, redact), options.phase);
  } catch (thrown) {
    const failure = toFailure(thrown);
    console.error(
      redact(
        `${options.phase}: ${failure.message}${failure.more.hint === undefined ? '' : `\n  HINT: ${failure.more.hint}`}${failure.fault === 'bug' ? `\n${failure.stack ?? ''}` : ''}`,
      ),
    );
    endWith(exitCodeOfFailure(failure));
  }
}

async function terminalHost(options: TerminalOptions, redact: ReturnType<typeof redactor>): Promise<Host> {
  const inputs = readInputs((name) => {
    if (name === 'phase') return options.phase;
    const given = options.flags[name] ?? process.env[variableOf(name)] ?? '';
    return name === 'store' && given.trim() === '' ? DEFAULT_STORE : given;
  });
  const mask = (secret: string): void => {
    for (const form of secretForms(secret)) redact.add(form);
  };
  for (const name of inputNames) if (inputTable[name].secret && inputs[name] !== '') mask(inputs[name]);

  const show = display(redact);
  const signal = cancellation(CANCELLED, (name) => {
    show.line(`${name}: cancelling; what was done stays in the journal`);
  });
  const exec = execWith(redact);
  const scratch = mkdtempSync(join(tmpdir(), 'lossless-'));
  process.once('exit', () => {
    rmSync(scratch, { recursive: true, force: true });
  });

  const commit = await exec(['git', '-C', dirname(resolve(inputs.plan)), 'rev-parse', 'HEAD'], { env: {}, signal })
    .then(({ stdout }) => stdout.trim())
    .catch(() => '');
  const directory = inputs.store.includes('://') || inputs.store === 'github' ? DEFAULT_STORE : inputs.store;
  const invocation: Host['invocation'] = { actor: actor(), commit, run: timestamp(new Date()), attempt: '1', url: '', repository: '', scheduled: false };

  return {
    kind: 'terminal',
    inputs,
    invocation,
    report: show.report,
    exec,
    movedNow: options.now,
    scratch,
    signal,
    github: null,
    store: () => openStore(inputs.store, inputs['run-id'] === '' ? [] : [inputs['run-id'], invocation.run], null),
    mask,
    async finish(raw) {
      show.close();
      const result = redactAll(raw, redact);
      const reports = await writeReports(options.reportDir ?? directory, result, invocation).catch((error: unknown) => {
        console.error(redact(`the report could not be written: ${String(error)}`));
        return null;
      });
      const outputs = { ...result.outputs, ...(reports === null ? {} : { 'report-path': reports.html }) };
      if (options.outputFile !== null) appendFileSync(options.outputFile, outputLines(outputs));
      console.log(ending(result));
      if (reports !== null) console.log(`  report: ${reports.html}`);
      endWith(exitCodeOf(result));
    },
  };
}

interface Display {
  readonly report: Report;
  line(line: string): void;
  close(): void;
}

/** Bars on a terminal, at most one line per second and item elsewhere. */
function display(redact: (text: string) => string): Display {
  const meter = progressMeter(() => performance.now());
  const bars = process.stderr.isTTY
    ? new MultiBar(
        {
          format: ' {bar} {percentage} % | {what} | {amounts} | {eta_formatted} left',
          hideCursor: true,
          clearOnComplete: false,
          stream: process.stderr,
          gracefulExit: false,
        },
        Presets.shades_classic,
      )
    : null;
  const open = new Map<string, SingleBar>();
  const line = (words: string): void => {
    if (words === '') return;
    const safe = redact(words);
    if (bars !== null && open.size > 0) bars.log(`${safe}\n`);
    else console.error(safe);
  };
  const bar = (event: Extract<Event, { type: 'progress' }>, of: number): void => {
    const key = `${event.step}\u0000${event.what}`;
    let one = open.get(key);
    if (one === undefined) {
      one = bars?.create(of, 0);
      if (one === undefined) return;
      open.set(key, one);
    }
    one.setTotal(of);
    one.update(event.done, { what: redact(`${event.step}: ${event.what}`), amounts: `${amount(event.done, event.unit)} of ${amount(of, event.unit)}` });
    if (event.done >= of) {
      one.stop();
      open.delete(key);
    }
  };
  return {
    line,
    report(event) {
      if (event.type !== 'progress') line(text(event));
      else if (bars !== null && event.of !== null && event.of > 0) bar(event, event.of);
      else line(meter.line(event) ?? '');
    },
    close() {
      bars?.stop();
      open.clear();
    },
  };
}

function actor(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'unknown';
  }
}

/** YYYYMMDDhhmmss, UTC */
const timestamp = (at: Date): string => at.toISOString().replace(/\D/g, '').slice(0, 14);
