import { markdownTable } from 'markdown-table';
import type { Finding } from '../finding.js';
import { checkRows, failureLines, headline, locksWithin, minute, rollbackSentence } from './criteria.js';
import type { RunResult } from './event.js';
import { duration, grouped, place, size } from './text.js';

/** GitHub drops a summary of 1 MiB without a word, and masking can make it grow (PLATFORM A1, A2). */
export const SUMMARY_BYTES = 900 * 1024;

const icon = { passed: '✅', refused: '⛔', failed: '❌', aborted: '⚠️' } as const;
const verdictWord = { pass: '✅ pass', fail: '❌ fail', aborted: '⚠️ ABORTED' } as const;
const MAX_CELL = 600;
const MAX_BARS = 40;

/** How much of each list is shown; smaller until the whole fits. */
interface Limits {
  readonly rows: number;
  readonly sections: number;
  readonly sqlBytes: number;
}
const limits: readonly Limits[] = [
  { rows: 2000, sections: 60, sqlBytes: 300_000 },
  { rows: 400, sections: 40, sqlBytes: 100_000 },
  { rows: 100, sections: 20, sqlBytes: 30_000 },
  { rows: 20, sections: 10, sqlBytes: 5000 },
  { rows: 5, sections: 5, sqlBytes: 0 },
];

/** The job summary: SPEC's order, at most 900 KiB; what does not fit is counted and stands in the report artifact. Names and messages are escaped: they are text that others control. */
export function markdown(result: RunResult): string {
  for (const limit of limits) {
    const out = render(result, limit);
    if (Buffer.byteLength(out) <= SUMMARY_BYTES) return out;
  }
  return `${head(result, { rows: 5, sections: 0, sqlBytes: 0 }).join('\n\n')}\n\nThis summary did not fit; everything is in the report artifact.\n`;
}

function render(result: RunResult, limit: Limits): string {
  return `${[
    ...head(result, limit),
    ...checks(result, limit),
    ...remarks(result, limit),
    ...tables(result, limit),
    ...notCompared(result, limit),
    ...locks(result, limit),
    ...rollback(result, limit),
    ...timings(result, limit),
    ...statements(result, limit),
    ...artifacts(result, limit),
    ...sections(result, limit),
    ...next(result),
  ].join('\n\n')}\n`;
}

function head(result: RunResult, limit: Limits): string[] {
  const facts = [
    result.plan.id === '' ? null : `plan ${prose(result.plan.name)} ${code(result.plan.id)}`,
    result.commit === '' ? null : `commit ${code(result.commit.slice(0, 12))}`,
    result.database === '' ? null : `database ${code(result.database)}`,
    result.run === null ? null : `run ${code(result.run)}`,
    result.who === '' ? null : `by ${prose(result.who)}`,
    `${minute(result.startedAt)}, ${duration(Math.max(0, Date.parse(result.endedAt) - Date.parse(result.startedAt)))}`,
    `lossless ${prose(result.toolVersion)}`,
  ].filter((fact) => fact !== null);
  const out = [`## ${icon[result.outcome]} ${result.phase}: ${result.outcome.toUpperCase()}`, `**${prose(headline(result.sentence))}**`, facts.join(' · ')];
  const { failure } = result;
  if (failure !== null) {
    const lines = [
      ...failureLines(result).map(prose),
      ...(failure.at === '' ? [] : [`at ${code(failure.at)}`]),
      ...(failure.hint === '' ? [] : ['', `**What to do:** ${prose(failure.hint)}`]),
    ];
    if (lines.length > 0) out.push(lines.map((line) => `> ${line}`.trimEnd()).join('\n'));
    if (failure.stack !== null) out.push(details('Stack (this is a bug of ours: please report it)', fence(failure.stack, '')));
  }
  const blocks = result.findings.filter((f) => f.severity === 'block');
  if (blocks.length > 0) out.push('### In the way', table(findingHead, blocks.map(findingRow), limit));
  return out;
}

function checks(result: RunResult, limit: Limits): string[] {
  const rows = checkRows(result).map((c) => [
    `${c.criterion === '' ? '' : `**${c.criterion}**`}${c.criterion === '' || c.name === '' ? '' : '<br>'}${prose(c.name)}`,
    prose(c.expected),
    prose(c.actual),
    c.verdict === null ? '' : verdictWord[c.verdict],
  ]);
  return ['### Checks', table(['Check', 'Expected', 'Actual', 'Verdict'], rows, limit)];
}

function remarks(result: RunResult, limit: Limits): string[] {
  const others = result.findings.filter((f) => f.severity !== 'block');
  return others.length === 0 ? [] : ['### Warnings and notes', table(findingHead, others.map(findingRow), limit)];
}

const findingHead = ['Finding', 'Step', 'What', 'What to do'];
function findingRow(f: Finding): string[] {
  const keys =
    f.keys === undefined || f.keys.length === 0
      ? ''
      : `<br>keys: ${f.keys
          .slice(0, 20)
          .map((key) => code(key))
          .join(', ')}${f.keys.length > 20 ? ` and ${String(f.keys.length - 20)} more` : ''}`;
  const at = f.at === undefined ? '' : `<br>at ${code(place(f.at))}`;
  return [
    `${f.severity === 'warn' ? '⚠️ ' : ''}${code(f.code)}`,
    f.step === undefined ? '' : code(f.step),
    `${prose(f.message)}${at}${keys}`,
    prose(f.hint ?? ''),
  ];
}

function tables(result: RunResult, limit: Limits): string[] {
  if (result.tables.length === 0) return [];
  const count = (n: number | null): string => (n === null ? '–' : grouped(n));
  const rows = result.tables.map((t) => [
    code(t.step),
    code(t.table),
    count(t.before),
    count(t.after),
    grouped(t.quarantined),
    t.checksum === null ? '–' : code(t.checksum),
    t.proof,
  ]);
  return [
    '### Tables',
    table(['Step', 'Table', 'Rows before', 'Rows after', 'Quarantined', 'Checksum', 'Proof'], rows, limit, ['l', 'l', 'r', 'r', 'r', 'l', 'l']),
  ];
}

function notCompared(result: RunResult, limit: Limits): string[] {
  if (result.notCompared.length === 0) return result.tables.length === 0 ? [] : ['### Not compared', 'Nothing was left out.'];
  return ['### Not compared', list(result.notCompared.map(prose), limit)];
}

function locks(result: RunResult, limit: Limits): string[] {
  const { longestMs, budgetMs, held } = result.locks;
  const within = locksWithin(result.locks);
  const line =
    longestMs === null || within === null
      ? 'No lock that blocks writers was measured in this run.'
      : `Longest ${duration(longestMs)} of a budget of ${duration(budgetMs)}: ${within ? verdictWord.pass : verdictWord.fail}.`;
  return [
    '### Locks',
    line,
    ...(held.length === 0
      ? []
      : [
          table(
            ['Step', 'Object', 'Held'],
            held.slice(0, 20).map((l) => [code(l.step), code(l.object), duration(l.ms)]),
            limit,
            ['l', 'l', 'r'],
          ),
        ]),
  ];
}

function rollback(result: RunResult, limit: Limits): string[] {
  const blocked = result.rollback?.blockedBy ?? [];
  return ['### Rollback', prose(rollbackSentence(result.rollback)), ...(blocked.length === 0 ? [] : [table(findingHead, blocked.map(findingRow), limit)])];
}

function timings(result: RunResult, limit: Limits): string[] {
  if (result.timings.length === 0) return [];
  const rows = result.timings.map((t) => [code(t.step), prose(t.what), duration(t.from), duration(t.ms)]);
  const label = (text: string): string => text.replace(/[^\w .-]/g, ' ').trim() || 'step';
  const bars: string[] = ['gantt', '    dateFormat x', '    axisFormat %M:%S'];
  let section = '';
  for (const t of result.timings.slice(0, MAX_BARS)) {
    if (t.step !== section) bars.push(`    section ${label(t.step)}`);
    section = t.step;
    bars.push(`    ${label(t.what)} : ${String(Math.round(t.from))}, ${String(Math.round(t.from + Math.max(1, t.ms)))}`);
  }
  return ['### Timings', fence(bars.join('\n'), 'mermaid'), table(['Step', 'What', 'Began after', 'Took'], rows, limit, ['l', 'l', 'r', 'r'])];
}

function statements(result: RunResult, limit: Limits): string[] {
  if (result.sql.length === 0) return [];
  const shown: string[] = [];
  let bytes = 0;
  for (const s of result.sql) {
    const one = s.step === '' ? s.text : `-- step ${s.step}\n${s.text}`;
    bytes += Buffer.byteLength(one);
    if (bytes > limit.sqlBytes) break;
    shown.push(one);
  }
  const more = result.sql.length - shown.length;
  const tail = more === 0 ? '' : `\n\n${String(more)} more in the artifact.`;
  return [
    details(
      `Exact SQL (${String(result.sql.length)} ${result.sql.length === 1 ? 'statement' : 'statements'})`,
      `${shown.length === 0 ? '' : fence(shown.join('\n\n'), 'sql')}${tail}`,
    ),
  ];
}

function artifacts(result: RunResult, limit: Limits): string[] {
  if (result.artifacts.length === 0) return [];
  const rows = result.artifacts.map((a) => [code(a.name), size(a.bytes), code(a.digest), a.expires === null ? 'does not expire' : a.expires.slice(0, 10)]);
  return ['### Files', table(['File', 'Size', 'sha256', 'Expires'], rows, limit, ['l', 'r', 'l', 'l'])];
}

function sections(result: RunResult, limit: Limits): string[] {
  const out = result.sections.slice(0, limit.sections).flatMap((s) => [
    `### ${prose(s.title)}`,
    ...(s.note === undefined ? [] : [prose(s.note)]),
    s.rows.length === 0
      ? 'None.'
      : table(
          s.head.map(prose),
          s.rows.map((cells) => cells.map(prose)),
          limit,
        ),
  ]);
  const more = result.sections.length - limit.sections;
  return more > 0 ? [...out, `${String(more)} more sections in the artifact.`] : out;
}

const next = (result: RunResult): string[] =>
  result.next.length === 0 ? [] : ['### Next', result.next.map((n) => `- **${prose(n.who)}**: ${prose(n.what)}`).join('\n')];

function table(columns: readonly string[], rows: readonly (readonly string[])[], limit: Limits, align: readonly string[] = []): string {
  const out = markdownTable([columns, ...rows.slice(0, limit.rows)], { alignDelimiters: false, align });
  return rows.length <= limit.rows ? out : `${out}\n\n${grouped(rows.length - limit.rows)} more in the artifact.`;
}

function list(items: readonly string[], limit: Limits): string {
  const out = items.slice(0, limit.rows).map((item) => `- ${item}`);
  return (items.length <= limit.rows ? out : [...out, `- ${grouped(items.length - limit.rows)} more in the artifact`]).join('\n');
}

/** Text that others control, as text: no cell, tag, emphasis, link, mention or line of its own. */
export function prose(text: string): string {
  const cut = text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text;
  return cut
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(/[\\`*[\]|~$#]/g, '\\$&')
    .replace(/(?<!\w)_|_(?!\w)/g, '\\_')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=\w)/g, '@\u200b');
}

/** A name as a code span that survives a table: pipes escaped, a fence longer than any run of backticks inside. */
export function code(text: string): string {
  const flat = (text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text).replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|');
  if (flat === '') return '';
  const longest = Math.max(0, ...[...flat.matchAll(/`+/g)].map((run) => run[0].length));
  const mark = '`'.repeat(longest + 1);
  return longest > 0 ? `${mark} ${flat} ${mark}` : `${mark}${flat}${mark}`;
}

function fence(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/^ {0,3}(`{3,})/gm)].map((run) => run[1]?.length ?? 0));
  const mark = '`'.repeat(longest + 1);
  return `${mark}${language}\n${text}\n${mark}`;
}

const details = (summary: string, body: string): string => `<details><summary>${prose(summary)}</summary>\n\n${body}\n\n</details>`;
