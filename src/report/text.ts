import type { Finding } from '../finding.js';
import { failureLines } from './criteria.js';
import type { Event, RunResult } from './event.js';

/** `1,234,567` */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** 850 ms · 12.3 s · 4 min 05 s · 2 h 03 min */
export function duration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const pad = (n: number): string => String(Math.floor(n)).padStart(2, '0');
  if (ms < 3_600_000) return `${String(Math.floor(ms / 60_000))} min ${pad((ms % 60_000) / 1000)} s`;
  return `${String(Math.floor(ms / 3_600_000))} h ${pad((ms % 3_600_000) / 60_000)} min`;
}

/** 512 B · 1.5 KiB · 20.0 MiB */
export function size(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return unit === 'B' ? `${String(value)} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

/** One value of a progress event with its unit. */
export const amount = (n: number, unit: 'rows' | 'bytes' | 'tables' | 'keys'): string =>
  unit === 'bytes' ? size(n) : `${grouped(n)} ${n === 1 ? unit.slice(0, -1) : unit}`;

const severityWord = { block: 'refused', warn: 'warning', note: 'note' } as const;

/** `refused [table-not-found] exports-types: …`, the place, the keys and, on a line of its own, the hint. */
export function findingText(f: Finding): string {
  const step = f.step === undefined ? '' : `${f.step}: `;
  const keys =
    f.keys === undefined || f.keys.length === 0
      ? ''
      : ` (keys: ${f.keys.slice(0, 10).join(', ')}${f.keys.length > 10 ? ` and ${String(f.keys.length - 10)} more` : ''})`;
  const at = f.at === undefined ? '' : `${place(f.at)}: `;
  const hint = f.hint === undefined ? '' : `\n  HINT: ${f.hint}`;
  return `${at}${severityWord[f.severity]} [${f.code}] ${step}${f.message}${keys}${hint}`;
}

/** `file:line:column`, as far as it is known. */
export const place = (at: { readonly file: string; readonly line?: number; readonly column?: number }): string =>
  [at.file, at.line, at.column].filter((part) => part !== undefined).join(':');

const doingWord = { preflight: 'preflight', apply: 'apply', verify: 'verify', undo: 'undo', watch: 'watch', cleanup: 'cleanup' } as const;

/** An event as a log line (a finding's hint stands on a second one); '' for an event that only machines need. */
export function text(event: Event): string {
  switch (event.type) {
    case 'phase-started':
      return `${event.phase}: started${event.plan === '' ? '' : `, plan ${event.plan}`}${event.planId === '' ? '' : ` (${event.planId})`}`;
    case 'phase-ended':
      return `${event.phase}: ${event.outcome} after ${duration(event.ms)}`;
    case 'step-started':
      return `${event.step}: ${doingWord[event.doing]} started, ${event.title}`;
    case 'step-ended':
      return `${event.step}: ${doingWord[event.doing]} ended after ${duration(event.ms)}`;
    case 'progress':
      return `${event.step}: ${event.what}, ${amount(event.done, event.unit)}${event.of === null ? '' : ` of ${amount(event.of, event.unit)}${percent(event.done, event.of)}`}`;
    case 'journal-written':
      return '';
    case 'swap':
      return event.moment === 'sent' ? '' : `${event.step}: swap ${event.moment === 'before' ? 'begins' : 'done'}`;
    case 'lock-held':
      return `${event.step}: lock on ${event.object} held for ${duration(event.ms)}`;
    case 'lock-refused':
      return `lock for ${event.query} not granted, attempt ${String(event.attempt)}${event.blockers.length === 0 ? '' : `; in the way: ${event.blockers.join('; ')}`}`;
    case 'sql':
      return '';
    case 'found':
      return findingText(event.finding);
    case 'file-stored':
      return `stored ${event.name} (${size(event.bytes)}, sha256 ${event.digest.slice(0, 12)}…${event.expires === null ? '' : `, expires ${event.expires.slice(0, 10)}`})`;
    case 'command-line':
      return `${event.step}| ${event.line}`;
    case 'said':
      return event.text;
  }
}

const percent = (done: number, of: number): string => (of <= 0 ? '' : ` (${String(Math.min(100, Math.floor((done / of) * 100)))} %)`);

/** The end of a run for a terminal: verdict, what is in the way, the checks that did not pass, counts, what to do next. */
export function ending(result: RunResult): string {
  const lines = [`${result.phase}: ${result.outcome}. ${result.sentence}`];
  for (const f of result.findings.filter((x) => x.severity === 'block')) lines.push(`  ${findingText(f).replaceAll('\n', '\n  ')}`);
  if (result.failure !== null) {
    for (const line of failureLines(result)) lines.push(`  ${line}`);
    if (result.failure.at !== '') lines.push(`  at ${result.failure.at}`);
    if (result.failure.hint !== '') lines.push(`  HINT: ${result.failure.hint}`);
    if (result.failure.stack !== null) lines.push(result.failure.stack);
  }
  for (const c of result.checks.filter((x) => x.verdict === 'fail' || x.verdict === 'aborted'))
    lines.push(`  ${c.verdict.toUpperCase()} ${c.name}: expected ${c.expected}, found ${c.actual}`);
  const measured = result.checks.filter((c) => c.verdict !== 'not-measured');
  if (measured.length > 0) lines.push(`  checks: ${String(measured.filter((c) => c.verdict === 'pass').length)} of ${String(measured.length)} passed`);
  if (result.locks.longestMs !== null) lines.push(`  longest lock: ${duration(result.locks.longestMs)} of ${duration(result.locks.budgetMs)}`);
  for (const s of result.sections) lines.push(...sectionText(s.title, s.head, s.rows, s.note));
  for (const n of result.next) lines.push(`  next (${n.who}): ${n.what}`);
  return lines.join('\n');
}

function sectionText(title: string, head: readonly string[], rows: readonly (readonly string[])[], remark: string | undefined): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.min(100, Math.max(...all.map((row) => (row[i] ?? '').length))));
  const line = (row: readonly string[]): string => `    ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return ['', `  ${title}${remark === undefined ? '' : ` (${remark})`}`, ...(rows.length === 0 ? ['    none'] : all.map(line)), ''];
}
