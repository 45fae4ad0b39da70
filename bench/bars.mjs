// What a benchmark measured beside what it must reach, and the end of the process that follows from it.
import { appendFileSync } from 'node:fs';
import { cpus } from 'node:os';

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** A line of the table. `atMost` or `atLeast` is the bar; without either the figure is only shown. */
export const bar = (metric, measured, { atMost, atLeast, unit = '', note = '' } = {}) => ({ metric, measured, atMost, atLeast, unit, note });

function verdict({ measured, atMost, atLeast }) {
  if (atMost === undefined && atLeast === undefined) return 'shown';
  const met = atMost !== undefined ? measured <= atMost : measured >= atLeast;
  if (met) return 'met';
  const near = atMost !== undefined ? measured <= atMost * 1.2 : measured >= atLeast / 1.2;
  return near ? 'missed by less than 20 %' : 'MISSED';
}

const figure = (value, unit) =>
  `${Math.abs(value) >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)}${unit === '' ? '' : ` ${unit}`}`;

/** Prints the table; with `save` appends it to results.md; a bar missed by more than a fifth makes the process end with 1. */
export function conclude(title, bars, { scale, save, notes = [] }) {
  const rows = bars.map((b) => {
    const target = b.atMost !== undefined ? `≤ ${figure(b.atMost, b.unit)}` : b.atLeast !== undefined ? `≥ ${figure(b.atLeast, b.unit)}` : '';
    return [b.note === '' ? b.metric : `${b.metric} (${b.note})`, figure(b.measured, b.unit), target, verdict(b)];
  });
  const table = [['metric', 'measured', 'target', 'verdict'], ['---', '---:', '---:', '---'], ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  const head = `## ${title}: scale ${scale}, ${cpus().length} cores, ${new Date().toISOString().slice(0, 10)}`;
  const text = `${head}\n\n${table}\n${notes.length === 0 ? '' : `\n${notes.map((n) => `- ${n}`).join('\n')}\n`}`;
  console.log(text);
  if (save) appendFileSync(new URL('results.md', import.meta.url), `\n${text}`);
  if (rows.some((row) => row[3] === 'MISSED')) process.exitCode = 1;
}
