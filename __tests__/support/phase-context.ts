import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execWith } from '../../src/host/exec.js';
import { directoryStore } from '../../src/host/store/directory.js';
import { inputNames, inputTable, parseSettings, type Inputs } from '../../src/inputs.js';
import { parseTarget, type Target } from '../../src/pg/connect.js';
import { connect } from '../../src/pg/db.js';
import type { PhaseContext } from '../../src/phases/phase.js';
import type { Plan } from '../../src/plan/plan.js';
import type { Event } from '../../src/report/event.js';

export interface TestContext extends PhaseContext {
  readonly events: readonly Event[];
  readonly storeDirectory: string;
  /** closes every session and removes scratch and store */
  close(): Promise<void>;
  /** ends the sessions that a phase left open, as the end of a job does */
  endJob(): Promise<void>;
}

let runs = 0;

/** What run.ts hands to a phase, with the product's own parts: real child processes, a directory store, sessions of its own. */
export function phaseContext(
  plan: Plan,
  given: Partial<Inputs>,
  options: { readonly storeDirectory?: string; readonly signal?: AbortSignal; readonly report?: (event: Event) => void } = {},
): TestContext {
  const inputs = Object.fromEntries(inputNames.map((n) => [n, given[n] ?? inputTable[n].default])) as Inputs;
  const scratch = mkdtempSync(join(tmpdir(), 'lossless-test-'));
  const storeDirectory = options.storeDirectory ?? mkdtempSync(join(tmpdir(), 'lossless-store-'));
  const signal = options.signal ?? new AbortController().signal;
  const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((r) => setTimeout(r, ms)) };
  const events: Event[] = [];
  const report = (event: Event): void => {
    events.push(event);
    options.report?.(event);
  };
  const closers: (() => Promise<void>)[] = [];
  const target = (name: 'production' | 'development' | 'staging'): Target | null =>
    inputs[`${name}-url`] === '' ? null : parseTarget(inputs[`${name}-url`], name, `${name}-url`, '');
  runs += 1;
  const endJob = async (): Promise<void> => {
    await Promise.all(closers.splice(0).map((c) => c()));
  };
  return {
    plan,
    inputs,
    settings: parseSettings(inputs),
    invocation: { actor: 'test', commit: '', run: String(1000 + runs), attempt: '1', url: '', repository: '', scheduled: false },
    exec: execWith((text) => text),
    clock,
    report,
    signal,
    github: null,
    host: 'terminal',
    scratch,
    toolVersion: '0.0.0-test',
    targets: { production: target('production'), development: target('development'), staging: target('staging') },
    async open(of, kind, name = 'lossless test') {
      const { db, close } = await connect(of, kind, { report, signal, clock, name });
      closers.push(close);
      return db;
    },
    store: () => Promise.resolve(directoryStore(storeDirectory)),
    mask: () => undefined,
    events,
    storeDirectory,
    endJob,
    async close() {
      await endJob();
      rmSync(scratch, { recursive: true, force: true });
      if (options.storeDirectory === undefined) rmSync(storeDirectory, { recursive: true, force: true });
    },
  };
}
