import { setMaxListeners } from 'node:events';
import { statSync } from 'node:fs';
import { Aborted, FaultsFound, toFailure, UserError, type Failure } from './errors.js';
import { block } from './finding.js';
import { inputTable, parseSettings, secretOf, type InputName, type Inputs } from './inputs.js';
import { parseTarget, type SessionKind, type Target } from './pg/connect.js';
import { connect, type Db } from './pg/db.js';
import { phases } from './phases/index.js';
import { maintenanceOffAfterwards } from './phases/maintenance.js';
import type { DatabaseName, Phase, PhaseContext, PhaseResult } from './phases/phase.js';
import type { Plan } from './plan/plan.js';
import { readPlanFile } from './plan/read.js';
import type { Clock, Host } from './ports.js';
import { collector, type Collector } from './report/collect.js';
import type { Outcome, RunResult } from './report/event.js';
import { kinds } from './steps/index.js';
import { toolVersion } from './version.js';

/** PostgreSQL 14: the first with client_connection_check_interval, which ends a killed runner's statement. */
const oldestServer = 140000;

/**
 * Runs one phase: reads inputs and plan, hands out sessions that end with it, and always ends in `host.finish`. Never throws for a
 * failed phase: the result says it. One of the two places that catch everything (the other is steps/all.ts).
 */
export async function run(host: Host, phaseName: string): Promise<RunResult> {
  const started = new Date();
  const events = collector();
  const report: Host['report'] = (event) => {
    events.report(event);
    host.report(event);
  };
  const ours = new AbortController();
  const signal = AbortSignal.any([host.signal, ours.signal]);
  // Every session and child listens; their number is bounded by the work, and Node would warn from ten on.
  setMaxListeners(0, signal);
  const sessions: (() => Promise<void>)[] = [];
  let plan: Plan | null = null;
  let result: PhaseResult;
  let failure: Failure | null = null;
  let budgetMs = 1000;
  const clock = new RunClock(host.movedNow);
  try {
    const phase = phaseOf(phaseName);
    const settings = parseSettings(host.inputs);
    plan = await planFor(phase, host);
    budgetMs = settings.maxLockMs ?? plan?.maxLockMs ?? budgetMs;
    const targets = targetsOf(host);
    requireInputs(phase, plan, host.inputs);
    if (host.movedNow !== null && Object.values(targets).some((t) => t?.local === false)) {
      throw new UserError('--now moves the clock only for servers on a socket or loopback', {
        hint: "Leave --now out; elsewhere retention is judged by the server's clock.",
      });
    }
    report({ type: 'phase-started', phase: phase.name, plan: plan?.name ?? '', planId: plan?.id ?? '' });
    const open = async (target: Target, kind: SessionKind, name = `lossless ${phase.name}`, within?: AbortSignal): Promise<Db> => {
      const either = within === undefined ? signal : AbortSignal.any([signal, within]);
      const { db, close } = await connect(target, kind, { report, signal: either, clock, name, ...(kind === 'lock' ? { onLost: () => ours.abort() } : {}) });
      sessions.push(close);
      if (db.version < oldestServer)
        throw new UserError(`${target.role} runs PostgreSQL ${String(Math.floor(db.version / 10_000))}, expected 14 or newer`, {
          hint: 'Upgrade the server first.',
        });
      await clock.setBy(db);
      return db;
    };
    const cx: PhaseContext = {
      plan,
      inputs: host.inputs,
      settings,
      invocation: host.invocation,
      exec: host.exec,
      clock,
      report,
      signal,
      github: host.github,
      host: host.kind,
      scratch: host.scratch,
      toolVersion,
      targets,
      open,
      store: () => host.store(),
      mask: (secret) => host.mask(secret),
    };
    result = await phase.run(cx);
  } catch (thrown) {
    failure =
      signal.aborted && !host.signal.aborted
        ? new Aborted('the session that holds the lock of the database was lost', {
            hint: 'Check the network and the server, then run the phase again: it continues from the journal.',
          })
        : toFailure(thrown);
    result = { outcome: outcomeOf(failure), sentence: failure.message.split('\n')[0] ?? '', findings: findingsOf(failure) };
  }
  await Promise.all(sessions.map((close) => close()));
  const finished = assemble(host, phaseName, plan, result, failure, events, started, budgetMs);
  report({ type: 'phase-ended', phase: phaseName, outcome: finished.outcome, ms: Date.now() - started.getTime() });
  await host.finish(finished);
  return finished;
}

/** For the post step of the action: what a cancelled or killed phase could not do itself. Maintenance goes off; nothing is undone. */
export async function reconcile(host: Host): Promise<void> {
  const clock = new RunClock(host.movedNow);
  const targets = targetsOf(host);
  for (const target of [targets.production, targets.development]) {
    if (target !== null) await maintenanceOffAfterwards(target, (targets.production ?? target).env, host, clock);
  }
}

const phaseOf = (name: string): Phase => {
  const phase = phases.find((p) => p.name === name);
  if (phase === undefined)
    throw new UserError(`phase: found "${name}", expected one of ${phases.map((p) => p.name).join(', ')}`, { hint: 'Correct the input `phase`.' });
  return phase;
};

async function planFor(phase: Phase, host: Host): Promise<Plan | null> {
  if (!phase.needsPlan && !exists(host.inputs.plan)) return null;
  return readPlanFile(host.inputs.plan, kinds, host.inputs['working-directory']);
}

const exists = (file: string): boolean => {
  try {
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

function targetsOf(host: Host): Readonly<Record<DatabaseName, Target | null>> {
  const of = (input: InputName, role: DatabaseName): Target | null => {
    const url = host.inputs[input];
    if (url === '') return null;
    host.mask(url);
    const target = parseTarget(url, role, input, host.inputs['ssl-ca']);
    target.secrets.forEach((secret) => host.mask(secret));
    return target;
  };
  return { production: of('production-url', 'production'), development: of('development-url', 'development'), staging: of('staging-url', 'staging') };
}

function requireInputs(phase: Phase, plan: Plan | null, inputs: Inputs): void {
  const missing = phase.needs(plan).filter((name) => inputs[name] === '');
  if (missing.length === 0) return;
  const hint =
    'Set them in the workflow step (or as LOSSLESS_<NAME> in a terminal); a secret of an environment reaches only the job that names that environment.';
  const findings = missing.map((name) =>
    block('input-missing', `${name} is empty: ${inputTable[name].about}${secretOf[name] === undefined ? '' : `; set the secret ${secretOf[name]}`}`, {
      object: name,
      hint,
    }),
  );
  throw new FaultsFound(`phase ${phase.name} needs inputs that are empty:\n${findings.map((f) => `- ${f.message}`).join('\n')}`, findings, { hint });
}

const outcomeOf = (failure: Failure): Outcome => (failure.fault === 'user' ? 'refused' : failure.fault === 'aborted' ? 'aborted' : 'failed');

const findingsOf = (failure: Failure): PhaseResult['findings'] => ('findings' in failure ? (failure as { findings: PhaseResult['findings'] }).findings : []);

/** Local time shifted to the server's (or to `--now`), so that a runner with a wrong clock cannot end a retention early. */
class RunClock implements Clock {
  private offsetMs: number;
  private judged: boolean;
  constructor(moved: Date | null) {
    this.offsetMs = moved === null ? 0 : moved.getTime() - Date.now();
    this.judged = moved !== null;
  }
  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }
  /** the first server asked is the judge */
  async setBy(db: Db): Promise<void> {
    if (this.judged) return;
    const { now } = await db.one<{ now: string }>('catalog/now');
    this.offsetMs = Number(now) - Date.now();
    this.judged = true;
  }
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve_, reject) => {
      if (signal.aborted) {
        reject(new Aborted('cancelled'));
        return;
      }
      const stop = (): void => {
        clearTimeout(timer);
        reject(new Aborted('cancelled'));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve_();
      }, ms);
      signal.addEventListener('abort', stop, { once: true });
    });
  }
}

function assemble(
  host: Host,
  phase: string,
  plan: Plan | null,
  result: PhaseResult,
  failure: Failure | null,
  events: Collector,
  started: Date,
  budgetMs: number,
): RunResult {
  const locks = events.locks();
  const longest = locks.length === 0 ? null : Math.max(...locks.map((l) => l.ms));
  const { invocation } = host;
  return {
    phase,
    outcome: result.outcome,
    sentence: result.sentence,
    plan: { name: plan?.name ?? '', id: plan?.id ?? '', digest: plan?.digest ?? '', file: plan?.file ?? host.inputs.plan },
    database: result.database ?? 'production',
    run: result.run ?? null,
    who: invocation.actor,
    commit: invocation.commit,
    startedAt: started.toISOString(),
    endedAt: new Date().toISOString(),
    toolVersion,
    findings: result.findings,
    failure:
      failure === null
        ? null
        : {
            fault: failure.fault,
            message: failure.message,
            hint: failure.more.hint ?? '',
            stack: failure.fault === 'bug' ? ((failure.more.cause instanceof Error ? failure.more.cause.stack : failure.stack) ?? null) : null,
            at:
              failure.more.at === undefined
                ? ''
                : [failure.more.at.file, failure.more.at.line, failure.more.at.column].filter((p) => p !== undefined).join(':'),
          },
    checks: result.checks ?? [],
    tables: result.tables ?? [],
    notCompared: result.notCompared ?? [],
    locks: { longestMs: longest, budgetMs, held: locks },
    rollback: result.rollback ?? null,
    timings: events.timings(),
    sql: events.sql(),
    artifacts: events.artifacts(),
    sections: result.sections ?? [],
    next: result.next ?? [],
    outputs: {
      ...(plan === null ? {} : { 'plan-id': plan.id }),
      ...(result.run === undefined || result.run === null ? {} : { run: result.run }),
      ...(longest === null ? {} : { 'longest-lock-ms': String(Math.ceil(longest)) }),
      ...(result.rollback === undefined || result.rollback === null ? {} : { 'rollback-possible': String(result.rollback.possible) }),
      ...result.outputs,
      outcome: result.outcome,
    },
  };
}
