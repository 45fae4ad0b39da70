import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Db } from '../../src/pg/db.js';
import { parseTarget } from '../../src/pg/connect.js';
import type { Event } from '../../src/report/event.js';
import type { Json, ReceiptSlot, StepContext } from '../../src/steps/step.js';

/** Thrown by a slot that was told to die at its n-th save: stands for a SIGKILL right after the receipt became durable. */
export class Killed extends Error {
  constructor(readonly save: number) {
    super(`killed after save ${String(save)}`);
  }
}

/** A receipt slot in memory. `dieAt`: the n-th save (from 1) is kept and then throws Killed. */
export class MemorySlot<R extends Json> implements ReceiptSlot<R> {
  last: R | null = null;
  saves = 0;
  readonly history: R[] = [];
  constructor(public dieAt = 0) {}
  async save(receipt: R): Promise<void> {
    this.saves += 1;
    // through JSON, as the journal does
    this.last = JSON.parse(JSON.stringify(receipt)) as R;
    this.history.push(this.last);
    await Promise.resolve();
    if (this.saves === this.dieAt) throw new Killed(this.saves);
  }
}

export interface TestContext {
  readonly cx: StepContext;
  readonly events: Event[];
  readonly db: Db;
  /** called with every event as it is reported; for acting between two moments of a step */
  onEvent: (event: Event) => void;
  close(): Promise<void>;
}

export interface TestContextOptions {
  readonly run?: string;
  readonly step?: string;
  readonly maxLockMs?: number;
  readonly workers?: number;
  readonly patienceMs?: number;
  readonly approved?: Readonly<Record<string, number>> | null;
  readonly allow?: readonly string[];
  readonly schemas?: readonly string[];
  readonly strict?: boolean;
}

/** A StepContext on a test database as its ordinary owner; one `worker` session. Close it, or the cluster cannot stop. */
export async function stepContext(url: string, options: TestContextOptions = {}): Promise<TestContext> {
  const events: Event[] = [];
  const abort = new AbortController();
  const holder: { onEvent: (event: Event) => void } = { onEvent: () => undefined };
  const report = (event: Event): void => {
    events.push(event);
    holder.onEvent(event);
  };
  const clock = { now: () => new Date(), sleep: (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }) };
  const target = parseTarget(url, 'production', 'production-url', '');
  const { db, close } = await connect(target, 'worker', {
    report,
    signal: abort.signal,
    clock,
    name: `lossless ${options.run ?? 'r0000test'}`,
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  });
  const cx: StepContext = {
    db,
    stepId: options.step ?? 'the-step',
    run: options.run ?? 'r0000test',
    plan: { schemas: options.schemas ?? ['public'], recycleConnections: false, strict: options.strict ?? false },
    files: {
      names: [],
      text: (path) => {
        throw new Error(`the plan does not name ${path}`);
      },
      bytes: (path) => {
        throw new Error(`the plan does not name ${path}`);
      },
    },
    budget: {
      maxLockMs: options.maxLockMs ?? 1000,
      workers: options.workers ?? 2,
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    },
    clock,
    report,
    signal: abort.signal,
    allow: new Set(options.allow ?? []),
    approved: options.approved === undefined ? {} : options.approved,
    exec: () => Promise.reject(new Error('this context runs no commands')),
    workingDirectory: '.',
    quiet: (work) => work(false),
    past: () => Promise.resolve([]),
  };
  return {
    cx,
    events,
    db,
    get onEvent() {
      return holder.onEvent;
    },
    set onEvent(f) {
      holder.onEvent = f;
    },
    close: async () => {
      abort.abort();
      await close();
    },
  };
}
