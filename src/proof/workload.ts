import { Bug, QueryFailed, UserError } from '../errors.js';
import type { Db } from '../pg/db.js';
import { fromPlan, glue, ident, join } from '../pg/render.js';
import type { PlanQuery } from '../plan/plan.js';
import type { Check } from '../report/event.js';

export interface WorkloadQuery {
  readonly name: string;
  readonly sql: string;
  /** median after / median before that is still accepted */
  readonly maxRatio: number;
}

export interface WorkloadTiming {
  readonly name: string;
  readonly medianMs: number;
  readonly rounds: number;
}

/** Below this, differences are noise of the machine, whatever their ratio: a query of half a millisecond is held up for several when the runner's cores are busy. */
const noiseMs = 5;

/**
 * Wall time of each query at the client, median of `rounds` in ms. Every round runs all queries once, so that a slow spell of the machine
 * hits them alike; one round before is not counted (cold caches, plans). Runs in one read-only transaction. `schemas`: where unqualified
 * names are looked up (the plan's). Errors: UserError that names the query.
 */
export async function timeWorkload(
  db: Db,
  workload: readonly Pick<WorkloadQuery, 'name' | 'sql'>[],
  rounds: number,
  schemas: readonly string[] = [],
): Promise<readonly WorkloadTiming[]> {
  const taken = new Map(workload.map((q) => [q.name, [] as number[]]));
  if (workload.length === 0) return [];
  await db.transaction(
    async (tx) => {
      await lookIn(tx, schemas);
      for (let round = 0; round <= rounds; round += 1) {
        for (const { name, sql } of workload) {
          const start = performance.now();
          await authored(name, () => tx.select(fromPlan(sql)));
          if (round > 0) taken.get(name)?.push(performance.now() - start);
        }
      }
    },
    { readOnly: true, retry: false },
  );
  return workload.map(({ name }) => ({ name, medianMs: median(taken.get(name) ?? []), rounds }));
}

/** One check per query: the median after against the median before. A query that was not timed on both sides is `not-measured`. */
export function compareWorkload(
  before: readonly WorkloadTiming[],
  after: readonly WorkloadTiming[],
  workload: readonly Pick<WorkloadQuery, 'name' | 'maxRatio'>[],
): readonly Check[] {
  return workload.map(({ name, maxRatio }) => {
    const [a, b] = [before.find((t) => t.name === name), after.find((t) => t.name === name)];
    const check = { name: `query time: ${name}`, criterion: 'performance' } as const;
    if (a === undefined || b === undefined)
      return { ...check, expected: `at most ${String(maxRatio)} times as before`, actual: 'not timed before and after', verdict: 'not-measured' };
    const ok = b.medianMs <= a.medianMs * maxRatio || b.medianMs - a.medianMs < noiseMs;
    return {
      ...check,
      expected: `at most ${String(maxRatio)} times ${ms(a.medianMs)} (less than ${String(noiseMs)} ms apart counts as equal)`,
      actual: `${ms(b.medianMs)}, ${(b.medianMs / Math.max(a.medianMs, 0.001)).toFixed(2)} times (medians of ${String(b.rounds)})`,
      verdict: ok ? 'pass' : 'fail',
    };
  });
}

/**
 * Runs the plan's queries (verify.queries, watch.queries), each read-only, and compares with what the plan expects: a scalar with the single value of
 * a single row, or rows in order. Values are the server's text; `true` and `t` are the same. What came is printed only when it is a number
 * or a boolean: anything else may be a row's value. A query that fails is a failed check. `schemas`: where unqualified names are looked up (the plan's).
 */
export async function runQueries(db: Db, queries: readonly PlanQuery[], schemas: readonly string[] = []): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const query of queries) {
    const check = {
      name: query.name,
      criterion: 'application',
      expected: typeof query.expect === 'string' ? query.expect : `${String(query.expect.length)} rows as in the plan`,
    } as const;
    try {
      const text = query.sql.trim().replace(/;$/, '');
      // the line end closes a trailing comment; a whole-row reference keeps columns of one name apart and every value as the server's text, which the driver's row objects do not
      const found = await db.transaction(
        async (tx) => {
          await lookIn(tx, schemas);
          return tx.select<{ answer: string }>(glue`SELECT lossless_answer::pg_catalog.text AS answer FROM (${fromPlan(`${text}\n`)}) AS lossless_answer`);
        },
        { readOnly: true },
      );
      const rows = found.map((r) => fieldsOf(r.answer));
      checks.push({ ...check, ...judge(query.expect, rows) });
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
      checks.push({ ...check, actual: `the query fails: ${error.message}`, verdict: 'fail' });
    }
  }
  return checks;
}

function judge(expect: PlanQuery['expect'], rows: readonly (readonly (string | null)[])[]): Pick<Check, 'actual' | 'verdict'> {
  if (typeof expect !== 'string') {
    const same =
      rows.length === expect.length &&
      rows.every((row, i) => row.length === expect[i]?.length && row.every((value, j) => sameValue(value, expect[i]?.[j] ?? null)));
    return {
      actual: same ? `${String(rows.length)} rows as in the plan` : `${String(rows.length)} rows that differ from the plan's`,
      verdict: same ? 'pass' : 'fail',
    };
  }
  const [row] = rows;
  if (rows.length !== 1 || row?.length !== 1)
    return { actual: `${String(rows.length)} rows of ${String(row?.length ?? 0)} columns, expected a single value`, verdict: 'fail' };
  const value = row[0] ?? null;
  const same = sameValue(value, expect);
  const shown = value === null ? 'NULL' : /^(-?\d{1,18}(\.\d{1,6})?|t|f|true|false)$/.test(value) ? value : 'another value';
  return { actual: same ? expect : shown, verdict: same ? 'pass' : 'fail' };
}

const sameValue = (actual: string | null, expected: string | null): boolean =>
  actual === expected || (expected === 'true' && actual === 't') || (expected === 'false' && actual === 'f') || (expected === 'null' && actual === null);

/** The fields of a composite's text (PostgreSQL "Composite Type Input and Output Syntax"): unquoted empty is NULL, doubled quotes and backslashes stand for one. */
export function fieldsOf(text: string): readonly (string | null)[] {
  if (!text.startsWith('(') || !text.endsWith(')')) throw new Bug('a row did not come as a composite');
  const fields: (string | null)[] = [];
  let at = 1;
  while (at < text.length) {
    let value = '';
    let quoted = false;
    for (let inside = false; inside || (text[at] !== ',' && at < text.length - 1); at += 1) {
      const c = text[at] ?? '';
      if (c === '"' && inside && text[at + 1] === '"') {
        value += '"';
        at += 1;
      } else if (c === '"') {
        inside = !inside;
        quoted = true;
      } else if (c === '\\' && inside) {
        at += 1;
        value += text[at] ?? '';
      } else value += c;
    }
    fields.push(value === '' && !quoted ? null : value);
    at += 1;
  }
  return fields;
}

const lookIn = async (tx: Db, schemas: readonly string[]): Promise<unknown> =>
  tx.rows('proof/author-path', { values: [join([...schemas.map((s) => ident(s)), ident('pg_catalog')])] });

async function authored<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QueryFailed)) throw error;
    throw new UserError(`verify.workload, query "${name}" fails: ${error.message}`, {
      hint: 'Correct the query in the plan. Unqualified names are looked up in the schemas of the plan; the session can only read.',
      cause: error,
    });
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
