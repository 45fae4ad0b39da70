import { createHash } from 'node:crypto';
import type { Finding } from '../finding.js';
import { checkRows, failureLines, headline, locksWithin, minute, rollbackSentence } from './criteria.js';
import type { RunResult, Timing } from './event.js';
import { duration, grouped, place, size } from './text.js';

const word = { passed: 'Passed', refused: 'Refused', failed: 'Failed', aborted: 'Aborted' } as const;
const mark = { passed: '✓', refused: '⊘', failed: '✕', aborted: '!' } as const;
const tone = { passed: 'good', refused: 'held', failed: 'bad', aborted: 'held' } as const;
const verdict = { pass: ['good', '✓ pass'], fail: ['bad', '✕ fail'], aborted: ['held', '! ABORTED'] } as const;

/** The same facts as the job summary, all of them, as one HTML file: no script, nothing fetched, styles bound by hash in its own policy. Light, dark and paper. */
export function page(result: RunResult): string {
  const measured = ['checks', 'Checks', checks(result)] as const;
  const found = ['findings', 'Findings', findings(result.findings)] as const;
  const blocked = result.findings.some((f) => f.severity === 'block');
  const parts: readonly (readonly [string, string, string])[] = [
    ...(blocked ? [found, measured] : [measured, found]),
    ['tables', 'Tables', tables(result)],
    [
      'not-compared',
      'Not compared',
      result.notCompared.length === 0
        ? result.tables.length === 0
          ? ''
          : '<p>Nothing was left out.</p>'
        : `<ul>${result.notCompared.map((n) => `<li>${esc(n)}</li>`).join('')}</ul>`,
    ],
    ['locks', 'Locks', locks(result)],
    ['rollback', 'Rollback', rollback(result)],
    ['timings', 'Timings', timings(result.timings)],
    ['sql', 'Exact SQL', statements(result)],
    ['files', 'Files', files(result)],
    ...result.sections.map(
      (s, i) =>
        [
          `section-${String(i + 1)}`,
          s.title,
          `${s.note === undefined ? '' : `<p>${esc(s.note)}</p>`}${
            s.rows.length === 0
              ? '<p>None.</p>'
              : grid(
                  s.title,
                  s.head.map(text),
                  s.rows.map((row) => row.map(text)),
                )
          }`,
        ] as const,
    ),
    [
      'next',
      'Next',
      result.next.length === 0 ? '' : `<ul class="next">${result.next.map((n) => `<li><strong>${esc(n.who)}</strong> ${esc(n.what)}</li>`).join('')}</ul>`,
    ],
  ];
  const shown = parts.filter(([, , body]) => body !== '');
  const hash = createHash('sha256').update(style).digest('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${esc(`${word[result.outcome]}: ${result.phase}${result.plan.name === '' ? '' : ` of ${result.plan.name}`}`)}</title>
<style>${style}</style>
</head>
<body>
<header class="${tone[result.outcome]}">
<p class="verdict"><span class="mark" aria-hidden="true">${mark[result.outcome]}</span> ${word[result.outcome]} <span class="phase">${esc(result.phase)}</span></p>
<h1>${esc(headline(result.sentence))}</h1>
${facts(result)}
</header>
<nav aria-label="Sections">${shown.map(([id, title]) => `<a href="#${id}">${esc(title)}</a>`).join('')}</nav>
<main>
${failure(result)}${shown.map(([id, title, body]) => `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${esc(title)}</h2>${body}</section>`).join('\n')}
</main>
<footer>lossless ${esc(result.toolVersion)} · began ${esc(minute(result.startedAt))}, ended ${esc(minute(result.endedAt))} · says only what this run measured</footer>
</body>
</html>
`;
}

interface Cell {
  readonly html: string;
  readonly number?: boolean;
}
const text = (value: string): Cell => ({ html: esc(value) });
const name = (value: string): Cell => ({ html: value === '' ? '' : `<code>${esc(value)}</code>` });
const figure = (value: string): Cell => ({ html: esc(value), number: true });

function grid(caption: string, head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const numeric = head.map((_, i) => rows.length > 0 && rows.every((row) => row[i]?.number === true));
  const cell = (tag: string, c: Cell, i: number): string =>
    `<${tag}${tag === 'th' ? ' scope="col"' : ''}${numeric[i] === true ? ' class="number"' : ''}>${c.html}</${tag.split(' ')[0] ?? tag}>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${esc(caption)}"><table><caption>${esc(caption)}</caption><thead><tr>${head.map((c, i) => cell('th', c, i)).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((c, i) => cell('td', c, i)).join('')}</tr>`)
    .join('\n')}</tbody></table></div>`;
}

function facts(result: RunResult): string {
  const all: readonly (readonly [string, string])[] = [
    ['Plan', result.plan.name],
    ['Plan id', result.plan.id],
    ['Commit', result.commit.slice(0, 12)],
    ['Database', result.database],
    ['Run', result.run ?? ''],
    ['By', result.who],
    ['Began', minute(result.startedAt)],
    ['Took', duration(Math.max(0, Date.parse(result.endedAt) - Date.parse(result.startedAt)))],
  ];
  return `<dl>${all
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `<div><dt>${label}</dt><dd>${esc(value)}</dd></div>`)
    .join('')}</dl>`;
}

function failure(result: RunResult): string {
  const f = result.failure;
  if (f === null) return '';
  const stack = f.stack === null ? '' : `<details><summary>Stack (a bug of ours: please report it)</summary><pre>${esc(f.stack)}</pre></details>`;
  const lines = failureLines(result);
  const message = lines.length === 0 ? '' : `<p class="message">${esc(lines.join('\n'))}</p>`;
  const at = f.at === '' ? '' : `<p>at <code>${esc(f.at)}</code></p>`;
  return `<section class="failure"><h2>What went wrong</h2>${message}${at}${f.hint === '' ? '' : `<p class="hint">${esc(f.hint)}</p>`}${stack}</section>\n`;
}

function checks(result: RunResult): string {
  const rows = checkRows(result).map((c): Cell[] => [
    { html: `${c.criterion === '' ? '' : `<strong>${esc(c.criterion)}</strong>`}${c.criterion === '' || c.name === '' ? '' : '<br>'}${esc(c.name)}` },
    text(c.expected),
    { html: c.verdict === null ? `<span class="quiet">${esc(c.actual)}</span>` : esc(c.actual) },
    { html: c.verdict === null ? '' : chip(verdict[c.verdict][0], verdict[c.verdict][1]) },
  ]);
  return grid('Checks', ['Check', 'Expected', 'Actual', 'Verdict'].map(text), rows);
}

const chip = (kind: string, words: string): string => `<span class="chip ${kind}">${esc(words)}</span>`;
const severity = { block: ['bad', 'refused'], warn: ['held', 'warning'], note: ['plain', 'note'] } as const;

function findings(all: readonly Finding[]): string {
  if (all.length === 0) return '';
  const order = { block: 0, warn: 1, note: 2 };
  const rows = [...all]
    .sort((a, b) => order[a.severity] - order[b.severity])
    .map((f): Cell[] => {
      const keys =
        f.keys === undefined || f.keys.length === 0 ? '' : `<br><span class="quiet">keys:</span> ${f.keys.map((key) => `<code>${esc(key)}</code>`).join(' ')}`;
      const at = f.at === undefined ? '' : `<br><span class="quiet">at</span> <code>${esc(place(f.at))}</code>`;
      const hint = f.hint === undefined ? '' : `<br><span class="hint">${esc(f.hint)}</span>`;
      return [
        { html: chip(severity[f.severity][0], severity[f.severity][1]) },
        name(f.code),
        name(f.step ?? ''),
        { html: `${esc(f.message)}${at}${keys}${hint}` },
      ];
    });
  return grid('Findings', ['Severity', 'Code', 'Step', 'What was found, and what to do'].map(text), rows);
}

function tables(result: RunResult): string {
  if (result.tables.length === 0) return '';
  const count = (n: number | null): Cell => figure(n === null ? '–' : grouped(n));
  const rows = result.tables.map((t): Cell[] => [
    name(t.step),
    name(t.table),
    count(t.before),
    count(t.after),
    figure(grouped(t.quarantined)),
    name(t.checksum ?? ''),
    text(t.proof),
  ]);
  return grid('Tables', ['Step', 'Table', 'Rows before', 'Rows after', 'Quarantined', 'Checksum', 'Proof'].map(text), rows);
}

function locks(result: RunResult): string {
  const { longestMs, budgetMs, held } = result.locks;
  const within = locksWithin(result.locks);
  const line =
    longestMs === null || within === null
      ? '<p>No lock that blocks writers was measured in this run.</p>'
      : `<p>Longest <strong>${esc(duration(longestMs))}</strong> of a budget of ${esc(duration(budgetMs))} ${chip(within ? 'good' : 'bad', within ? '✓ within' : '✕ over')}</p>`;
  return `${line}${
    held.length === 0
      ? ''
      : grid(
          'Locks held',
          ['Step', 'Object', 'Held'].map(text),
          held.map((l) => [name(l.step), name(l.object), figure(duration(l.ms))]),
        )
  }`;
}

const rollback = (result: RunResult): string => `<p>${esc(rollbackSentence(result.rollback))}</p>${findings(result.rollback?.blockedBy ?? [])}`;

const BAR = 18;
const LEFT = 220;
const WIDTH = 900;
const MAX_BARS = 60;

function timings(all: readonly Timing[]): string {
  if (all.length === 0) return '';
  const end = Math.max(1, ...all.map((t) => t.from + t.ms));
  const x = (ms: number): string => (LEFT + (ms / end) * (WIDTH - LEFT - 80)).toFixed(1);
  const bars = all.slice(0, MAX_BARS).map((t, i) => {
    const y = String(i * BAR + 4);
    const width = Math.max(2, (t.ms / end) * (WIDTH - LEFT - 80));
    const label = `${t.step} ${t.what}`;
    return `<text x="${String(LEFT - 8)}" y="${String(i * BAR + 14)}" text-anchor="end">${esc(label.length > 34 ? `${label.slice(0, 33)}…` : label)}</text><rect x="${x(t.from)}" y="${y}" width="${width.toFixed(1)}" height="${String(BAR - 6)}" rx="2"></rect><text class="took" x="${(Number(x(t.from)) + width + 6).toFixed(1)}" y="${String(i * BAR + 14)}">${esc(duration(t.ms))}</text>`;
  });
  const height = String(Math.min(all.length, MAX_BARS) * BAR + 6);
  const rows = all.map((t) => [name(t.step), text(t.what), figure(duration(t.from)), figure(duration(t.ms))]);
  return `<svg viewBox="0 0 ${String(WIDTH)} ${height}" role="img" aria-label="Timeline; the table below has the same facts">${bars.join('')}</svg>${grid('Timings', ['Step', 'What', 'Began after', 'Took'].map(text), rows)}`;
}

function statements(result: RunResult): string {
  if (result.sql.length === 0) return '';
  const one = (s: RunResult['sql'][number]): string => `${s.step === '' ? '' : `-- step ${s.step}\n`}${s.text}`;
  return `<details><summary>${String(result.sql.length)} ${result.sql.length === 1 ? 'statement' : 'statements'}, as sent</summary><pre>${esc(result.sql.map(one).join('\n\n'))}</pre></details>`;
}

function files(result: RunResult): string {
  if (result.artifacts.length === 0) return '';
  const rows = result.artifacts.map((a) => [
    name(a.name),
    figure(size(a.bytes)),
    name(a.digest),
    text(a.expires === null ? 'does not expire' : a.expires.slice(0, 10)),
  ]);
  return grid('Files', ['File', 'Size', 'sha256', 'Expires'].map(text), rows);
}

const esc = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');

const style = `
:root{--ink:#1c2024;--soft:#5c6570;--line:#d9dee3;--paper:#fff;--shade:#f5f7f8;--good:#176d3a;--good-bg:#e3f4e9;--bad:#a8201a;--bad-bg:#fbe7e6;--held:#8a5300;--held-bg:#fdf1dc;--link:#0b5cad;--bar:#4a7fb5}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa5b1;--line:#343c45;--paper:#14181c;--shade:#1b2127;--good:#7fd6a0;--good-bg:#15301f;--bad:#ff9d97;--bad-bg:#3b1a19;--held:#f3c272;--held-bg:#38290f;--link:#7db8f2;--bar:#5b93cc}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.25rem 3rem;max-width:76rem;color:var(--ink);background:var(--paper);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header{padding:1.25rem 1.5rem;border:1px solid var(--line);border-left:.5rem solid;border-radius:.5rem;background:var(--shade)}
header.good{border-left-color:var(--good)}header.bad{border-left-color:var(--bad)}header.held{border-left-color:var(--held)}
.verdict{margin:0;font-weight:700;letter-spacing:.01em}
.good .verdict{color:var(--good)}.bad .verdict{color:var(--bad)}.held .verdict{color:var(--held)}
.phase{margin-left:.5rem;padding:.05rem .5rem;border:1px solid var(--line);border-radius:1rem;color:var(--soft);font-weight:500;font-size:.85rem}
h1{margin:.25rem 0 1rem;font-size:1.5rem;line-height:1.3;text-wrap:balance;overflow-wrap:anywhere}
h2{margin:2.25rem 0 .75rem;font-size:1.15rem}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem .25rem 0;font-size:.9rem}
a{color:var(--link);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.4rem}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{width:100%;border-collapse:collapse;font-size:.9rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{padding:.5rem .75rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
thead th{background:var(--shade);color:var(--soft);font-weight:600;font-size:.8rem;white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font:.85em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{margin:.75rem 0 0;padding:1rem;overflow-x:auto;background:var(--shade);border:1px solid var(--line);border-radius:.4rem}
summary{cursor:pointer}
.chip{display:inline-block;padding:.05rem .55rem;border-radius:1rem;font-weight:600;font-size:.85em;white-space:nowrap}
.chip.good{color:var(--good);background:var(--good-bg)}.chip.bad{color:var(--bad);background:var(--bad-bg)}.chip.held{color:var(--held);background:var(--held-bg)}.chip.plain{color:var(--soft);background:var(--shade)}
.quiet{color:var(--soft)}
.hint{color:var(--soft)}.hint::before{content:"→ "}
.failure{margin-top:1.5rem;padding:.25rem 1.25rem 1rem;border:1px solid var(--bad);border-radius:.5rem;background:var(--bad-bg)}
.failure h2{margin-top:1rem}
.message{white-space:pre-line}
.next{padding-left:1.25rem}
svg{display:block;width:100%;margin-bottom:1rem}
svg text{fill:var(--ink);font-size:11px}svg .took{fill:var(--soft)}svg rect{fill:var(--bar)}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}
@media print{body{max-width:none;padding:0;font-size:11pt}nav{display:none}.scroll{overflow:visible}section{break-inside:auto}tr{break-inside:avoid}details{display:block}details>pre{white-space:pre-wrap}}
`;
