import type { Report } from '../ports.js';
import type { RunResult, Timing } from './event.js';

const MAX_LOCKS = 100;
const MAX_SQL_BYTES = 8 * 1024 * 1024;

/** Listens to the events of one phase and keeps what the finished run will show of them: bounded memory, whatever the work reports. */
export interface Collector {
  readonly report: Report;
  /** the 100 longest, longest first */
  locks(): RunResult['locks']['held'];
  /** one per step and what was done to it, in order of their start; one that has not ended runs until now */
  timings(): readonly Timing[];
  /** every different statement once per step, in order; at most 8 MiB of text, then a line that says how many were left out */
  sql(): RunResult['sql'];
  artifacts(): RunResult['artifacts'];
}

/** @param now milliseconds of any clock that only moves forward; the phase begins now */
export function collector(now: () => number = () => performance.now()): Collector {
  const begun = now();
  const held: { step: string; object: string; ms: number }[] = [];
  const timings: (Timing & { readonly open: boolean })[] = [];
  const sql: { step: string; text: string }[] = [];
  const seenSql = new Set<string>();
  let sqlBytes = 0;
  let sqlLeftOut = 0;
  const artifacts: RunResult['artifacts'][number][] = [];

  const report: Report = (event) => {
    switch (event.type) {
      case 'step-started':
        timings.push({ step: event.step, what: event.doing, from: now() - begun, ms: 0, open: true });
        return;
      case 'step-ended': {
        const index = timings.findLastIndex((t) => t.open && t.step === event.step && t.what === event.doing);
        const started = timings[index];
        if (started === undefined)
          timings.push({ step: event.step, what: event.doing, from: Math.max(0, now() - begun - event.ms), ms: event.ms, open: false });
        else timings[index] = { ...started, ms: event.ms, open: false };
        return;
      }
      case 'lock-held': {
        held.push({ step: event.step, object: event.object, ms: event.ms });
        if (held.length > MAX_LOCKS) {
          held.sort((a, b) => b.ms - a.ms);
          held.length = MAX_LOCKS;
        }
        return;
      }
      case 'sql': {
        const key = `${event.step}\u0000${event.text}`;
        if (seenSql.has(key)) return;
        if (sqlBytes + event.text.length > MAX_SQL_BYTES) {
          sqlLeftOut += 1;
          return;
        }
        seenSql.add(key);
        sqlBytes += event.text.length;
        sql.push({ step: event.step, text: event.text });
        return;
      }
      case 'file-stored':
        artifacts.push({ name: event.name, digest: event.digest, bytes: event.bytes, expires: event.expires });
        return;
      case 'found':
      case 'phase-started':
      case 'phase-ended':
      case 'progress':
      case 'journal-written':
      case 'swap':
      case 'lock-refused':
      case 'command-line':
      case 'said':
        return;
    }
  };

  return {
    report,
    locks: () => [...held].sort((a, b) => b.ms - a.ms),
    timings: () => timings.map(({ open, ...t }) => (open ? { ...t, ms: Math.max(0, now() - begun - t.from) } : t)),
    sql: () => (sqlLeftOut === 0 ? sql : [...sql, { step: '', text: `-- ${String(sqlLeftOut)} more statements were left out of this report` }]),
    artifacts: () => artifacts,
  };
}
