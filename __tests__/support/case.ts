import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FaultsFound } from '../../src/errors.js';
import type { Finding } from '../../src/finding.js';
import { parseSettings, readInputs, type InputName, type Inputs } from '../../src/inputs.js';
import { judge } from '../../src/phases/check.js';
import { findingLine } from '../../src/plan/files.js';
import type { Plan } from '../../src/plan/plan.js';
import { readPlan } from '../../src/plan/read.js';
import { kinds, steps } from '../../src/steps/index.js';
import type { AnyStep, ReadContext } from '../../src/steps/step.js';
import type { Cluster } from './cluster.js';
import type { Sessions } from './sessions.js';

/**
 * A directory `__tests__/cases/<area>/<finding-code>[--<variant>]/` that holds
 *   plan.yml and the files it names (absent only when the plan itself is missing)
 *   before.sql     the database, made by its ordinary owner; admin.sql: what the superuser adds; after.sql: what he must clear away
 *   allow.txt      names of the input `allow`; inputs.json: any other inputs
 *   refusal.txt    exactly what is said: `<severity> <file:line:column>: <code>: <message> HINT: <hint>`, one line each
 * With LOSSLESS_WRITE_CASES=1 in the environment, refusal.txt is written instead of compared; read what it says before committing.
 */
export interface Case {
  readonly area: string;
  readonly name: string;
  readonly code: string;
  readonly dir: string;
  readonly needsDatabase: boolean;
}

const root = fileURLToPath(new URL('../cases', import.meta.url));

export const cases: readonly Case[] = readdirSync(root, { withFileTypes: true })
  .filter((area) => area.isDirectory())
  .flatMap((area) =>
    readdirSync(join(root, area.name)).map((name) => {
      const dir = join(root, area.name, name);
      return { area: area.name, name, code: name.replace(/--.*$/, ''), dir, needsDatabase: existsSync(join(dir, 'before.sql')) };
    }),
  );

const read = (c: Case, file: string): string => (existsSync(join(c.dir, file)) ? readFileSync(join(c.dir, file), 'utf8') : '');

export function inputsOf(c: Case): Inputs {
  const given = JSON.parse(read(c, 'inputs.json') || '{}') as Partial<Record<InputName, string>>;
  const own: Partial<Record<InputName, string>> = { plan: 'plan.yml', allow: read(c, 'allow.txt'), ...given };
  return readInputs((name) => own[name] ?? '');
}

export const databaseOf = (c: Case): string => `${c.area} ${c.name}`;

export const line = (finding: Finding): string => `${finding.severity} ${findingLine(finding)}`;

/** What is said about the plan without a database, and the plan when it can be used. */
export async function checked(c: Case): Promise<{ readonly plan: Plan | null; readonly lines: readonly string[] }> {
  try {
    const inputs = inputsOf(c);
    const settings = parseSettings(inputs);
    const { plan } = await readPlan({ file: inputs.plan, root: c.dir, kinds });
    return { plan, lines: judge(plan, settings).map(line) };
  } catch (error) {
    if (error instanceof FaultsFound) return { plan: null, lines: error.findings.map(line) };
    throw error;
  }
}

/** The same, and what every step's preflight says in a session that can only read. The database is as before afterwards: the dumps are compared. */
export async function preflighted(
  c: Case,
  cluster: Cluster,
  sessions: Sessions,
): Promise<{ readonly lines: readonly string[]; readonly before: string; readonly after: string }> {
  const database = databaseOf(c);
  const url = await cluster.create(database);
  const owner = await sessions.open(url);
  await owner.script(`SET search_path = public; ${read(c, 'before.sql')}`, { file: 'before.sql' });
  if (existsSync(join(c.dir, 'admin.sql'))) await cluster.admin(read(c, 'admin.sql'), database);
  const before = dump(cluster, database);
  const { plan, lines } = await checked(c);
  const said = [...lines];
  if (plan !== null) {
    const db = await sessions.open(url, 'reader');
    for (const step of plan.steps) {
      const kind = (steps as Readonly<Record<string, AnyStep>>)[step.kind];
      if (kind === undefined) throw new Error(`no kind ${step.kind}`);
      const cx: ReadContext = {
        db,
        stepId: step.id,
        run: 'r00000000',
        plan,
        files: plan.files,
        budget: { maxLockMs: plan.maxLockMs, workers: 1 },
        clock: { now: () => new Date('2026-11-22T12:00:00Z'), sleep: () => Promise.resolve() },
        report: () => undefined,
        signal: new AbortController().signal,
        allow: parseSettings(inputsOf(c)).allow,
        approved: null,
        workingDirectory: plan.dir,
      };
      const { findings } = await kind.preflight(cx, step.spec);
      said.push(...findings.map((finding) => line({ step: step.id, at: step.at, ...finding })).filter((text) => !said.includes(text)));
    }
  }
  const after = dump(cluster, database);
  if (existsSync(join(c.dir, 'after.sql'))) await cluster.admin(read(c, 'after.sql'), database);
  return { lines: said, before, after };
}

/** Compares with refusal.txt, or writes it when told to. Returns what it held. */
export function expected(c: Case, lines: readonly string[]): readonly string[] {
  const file = join(c.dir, 'refusal.txt');
  if (process.env['LOSSLESS_WRITE_CASES'] === '1') writeFileSync(file, `${lines.join('\n')}\n`);
  return read(c, 'refusal.txt').trimEnd().split('\n');
}

/** Schema and rows, as `pg_dump` writes them; without the random key it prints. */
function dump(cluster: Cluster, database: string): string {
  const text = execFileSync(join(cluster.bin, 'pg_dump'), ['-h', cluster.socket, '-p', String(cluster.port), '-U', 'postgres', database], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return text.replace(/^\\(un)?restrict .*$/gm, '');
}
