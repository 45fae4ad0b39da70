import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as core from '@actions/core';
import { toFailure } from '../errors.js';
import type { Finding } from '../finding.js';
import { inputNames, inputTable, readInputs } from '../inputs.js';
import type { Host, Report, Store } from '../ports.js';
import { outputNames, type RunResult } from '../report/event.js';
import { markdown } from '../report/markdown.js';
import { progressMeter } from '../report/progress.js';
import { redactAll, redactor, secretForms, type Redactor } from '../report/redact.js';
import { findingText, text } from '../report/text.js';
import { writeReports } from './ending.js';
import { execWith } from './exec.js';
import { githubApi } from './github.js';
import { cancellation, endWith } from './signals.js';
import { githubStore } from './store/github.js';
import { openStore } from './store/open.js';

/** The runner shows ten annotations of a level per step; setFailed needs one of the errors. */
const MAX_ANNOTATIONS = { error: 9, warning: 10, notice: 10 } as const;
const STATE = 'phase';
/** Phases that may have switched maintenance on: only after these has the post step something to set right. */
const WITH_MAINTENANCE: readonly string[] = ['migrate', 'rollback'];

/**
 * The action's entry: the phase that the input names, or, in the post step (which the runner starts with our saved state, whatever became
 * of the job), what a cancelled phase could not do itself. Never rejects; everything but `passed` fails the step.
 */
export async function inActions(run: (host: Host, phase: string) => Promise<RunResult>, reconcile: (host: Host) => Promise<void>): Promise<void> {
  const redact = redactor();
  const before = core.getState(STATE);
  try {
    const host = actionsHost(redact);
    if (before === '') {
      core.saveState(STATE, host.inputs.phase === '' ? 'none' : host.inputs.phase);
      await run(host, host.inputs.phase);
    } else if (WITH_MAINTENANCE.includes(before)) await reconcile(host);
  } catch (thrown) {
    const failure = toFailure(thrown);
    core.setFailed(
      harmless(
        redact(
          `${failure.message}${failure.more.hint === undefined ? '' : `. ${failure.more.hint}`}${failure.fault === 'bug' ? `\n${failure.stack ?? ''}` : ''}`,
        ),
      ),
    );
  }
  endWith(typeof process.exitCode === 'number' ? process.exitCode : 0);
}

function actionsHost(redact: Redactor): Host {
  const inputs = readInputs((name) => core.getInput(name));
  const mask = (secret: string): void => {
    for (const form of secretForms(secret)) {
      // A mask of three characters would blank words of every log and drop outputs; the URL rule still covers a short password.
      if (form.length >= 4) core.setSecret(form);
      redact.add(form);
    }
  };
  for (const name of inputNames) if (inputTable[name].secret && inputs[name] !== '') mask(inputs[name]);

  const env = (name: string): string => process.env[name] ?? '';
  const signal = cancellation(1, (name) => {
    core.warning(`${name}: the job is being cancelled; what was done stays in the journal`);
  });
  const temp = env('RUNNER_TEMP') === '' ? tmpdir() : env('RUNNER_TEMP');
  const scratch = mkdtempSync(join(temp, 'lossless-'));
  process.once('exit', () => {
    rmSync(scratch, { recursive: true, force: true });
  });

  const invocation: Host['invocation'] = {
    actor: env('GITHUB_TRIGGERING_ACTOR') === '' ? env('GITHUB_ACTOR') : env('GITHUB_TRIGGERING_ACTOR'),
    commit: env('GITHUB_SHA'),
    run: env('GITHUB_RUN_ID'),
    attempt: env('GITHUB_RUN_ATTEMPT') === '' ? '1' : env('GITHUB_RUN_ATTEMPT'),
    url: env('GITHUB_RUN_ID') === '' ? '' : `${env('GITHUB_SERVER_URL')}/${env('GITHUB_REPOSITORY')}/actions/runs/${env('GITHUB_RUN_ID')}`,
    repository: env('GITHUB_REPOSITORY'),
    scheduled: env('GITHUB_EVENT_NAME') === 'schedule',
  };
  let opened: Promise<Store> | null = null;
  const store = (): Promise<Store> =>
    (opened ??= openStore(inputs.store, inputs['run-id'] === '' ? [] : [inputs['run-id'], invocation.run], () =>
      githubStore({
        runId: inputs['run-id'],
        thisRun: invocation.run,
        repository: invocation.repository,
        token: inputs['github-token'],
        retentionDays: Number(inputs['retention-days']),
        retentionCap: env('GITHUB_RETENTION_DAYS'),
        scratch,
      }),
    ));

  const host: Host = {
    kind: 'actions',
    inputs,
    invocation,
    report: reporting(redact),
    exec: execWith(redact),
    movedNow: null,
    scratch,
    signal,
    github: inputs['github-token'] === '' || invocation.repository === '' ? null : githubApi(inputs['github-token'], invocation.repository, invocation.run),
    store,
    mask,
    finish: (result) => finish(host, redactAll(result, redact), join(temp, 'lossless-reports')),
  };
  return host;
}

/** Events as log lines, one group per step; a line that another program wrote cannot give the runner a command. */
function reporting(redact: Redactor): Report {
  const meter = progressMeter(() => performance.now());
  let grouped = false;
  const close = (): void => {
    if (grouped) core.endGroup();
    grouped = false;
  };
  return (event) => {
    if (event.type === 'step-started') {
      close();
      core.startGroup(harmless(redact(text(event))));
      grouped = true;
      return;
    }
    const line = event.type === 'progress' ? (meter.line(event) ?? '') : redact(text(event));
    if (line !== '') {
      if (event.type === 'command-line') foreign(line);
      else core.info(harmless(line));
    }
    if (event.type === 'step-ended' || event.type === 'phase-ended') close();
  };
}

/** The token is new each time, so a program that reads our log learns nothing it could use. */
function foreign(line: string): void {
  const token = randomUUID();
  core.info(`::stop-commands::${token}\n${line}\n::${token}::`);
}

/** Lines of ours may hold names out of a database; the runner looks for `::` at the start of a line and for `##[` anywhere. */
const harmless = (words: string): string => words.replace(/^(\s*):(?=:)/gm, '$1:\u200b').replaceAll('##[', '##\u200b[');

async function finish(host: Host, result: RunResult, directory: string): Promise<void> {
  const reports = await writeReports(directory, result, host.invocation).catch((error: unknown) => {
    core.warning(`the report could not be written: ${String(error)}`);
    return null;
  });
  const outputs: RunResult['outputs'] = { ...result.outputs, ...(reports === null ? {} : { 'report-path': reports.html }) };
  for (const name of outputNames) {
    const value = outputs[name];
    if (value !== undefined) core.setOutput(name, value);
  }
  summarize(result);
  annotate(result.findings);
  if (result.outcome === 'passed') core.info(harmless(`${result.phase}: passed. ${result.sentence}`));
  else {
    const hint = result.failure?.hint ?? result.findings.find((f) => f.severity === 'block')?.hint ?? '';
    core.setFailed(
      harmless(
        `${result.phase} ${result.outcome}: ${result.failure?.message ?? result.sentence}${hint === '' ? '' : `\nHINT: ${hint}`}${result.failure?.stack == null ? '' : `\n${result.failure.stack}`}`,
      ),
    );
  }
  // Last, and not at all in a cancelled job: the seconds left belong to the journal.
  if (reports !== null && !host.signal.aborted) await keep(host, reports);
}

/** A summary that cannot be written is a warning, never a failed migration. */
function summarize(result: RunResult): void {
  const file = process.env['GITHUB_STEP_SUMMARY'];
  if (file === undefined || file === '') return;
  try {
    appendFileSync(file, markdown(result));
  } catch (error) {
    core.warning(`the job summary could not be written: ${String(error)}`);
  }
}

const level = { block: 'error', warn: 'warning', note: 'notice' } as const;
const order = { block: 0, warn: 1, note: 2 } as const;

/** Findings on the lines of the plan they are about; the rest stands in the log and in the summary. */
function annotate(findings: readonly Finding[]): void {
  const left: Record<'error' | 'warning' | 'notice', number> = { ...MAX_ANNOTATIONS };
  for (const finding of [...findings].sort((a, b) => order[a.severity] - order[b.severity])) {
    const kind = level[finding.severity];
    if (left[kind] === 0) {
      core.info(harmless(findingText(finding)));
      continue;
    }
    left[kind] -= 1;
    const { at, ...rest } = finding;
    const words = harmless(findingText(rest));
    core[kind](words, {
      title: finding.code,
      ...(at === undefined
        ? {}
        : { file: at.file, ...(at.line === undefined ? {} : { startLine: at.line }), ...(at.column === undefined ? {} : { startColumn: at.column }) }),
    });
  }
}

async function keep(host: Host, reports: { readonly html: string; readonly json: string }): Promise<void> {
  try {
    const store = await host.store();
    for (const path of [reports.html, reports.json]) await store.put(path.slice(path.lastIndexOf('/') + 1), path);
  } catch (error) {
    core.warning(harmless(`the report was not stored: ${toFailure(error).message}`));
  }
}
