import { describe, expect, test } from '@jest/globals';
import { parseSettings, readInputs, type InputName } from '../../../src/inputs.js';
import { check, judge } from '../../../src/phases/check.js';
import type { PhaseContext, PhaseResult } from '../../../src/phases/phase.js';
import { readPlan } from '../../../src/plan/read.js';
import type { Event } from '../../../src/report/event.js';
import { kinds } from '../../../src/steps/index.js';
import { folder } from '../../support/plan.js';

const plan = `name: x
schemas: [public, audit]
steps:
  - { id: unused, retire-tables: { tables: [old_notes, audit.old_log] } }
  - { id: fill, sql: { file: fill.sql, undo: none } }
  - { id: auth, on: development, retire-schemas: [auth] }
`;

async function run(inputs: Partial<Record<InputName, string>> = {}, fill = 'DROP TABLE a;\n'): Promise<{ result: PhaseResult; events: readonly Event[] }> {
  const { plan: read } = await readPlan({ file: 'plan.yml', root: folder({ 'plan.yml': plan, 'fill.sql': fill }), kinds });
  const events: Event[] = [];
  const given = readInputs((name) => inputs[name] ?? '');
  const cx: Pick<PhaseContext, 'plan' | 'settings' | 'report'> = { plan: read, settings: parseSettings(given), report: (event) => events.push(event) };
  return { result: await check.run(cx as PhaseContext), events };
}

describe('the check phase', () => {
  test('asks for nothing, writes nothing', () => {
    expect([check.needs(null), check.writes, check.needsPlan]).toEqual([[], 'nothing', true]);
  });

  test('refuses a hazard, tells it as it finds it, and names the plan id', async () => {
    const { result, events } = await run();
    expect(result.outcome).toBe('refused');
    expect(result.sentence).toMatch(/^plan [0-9a-f]{12} \(x\): 3 steps, 1 file, 1 fault, 1 warning$/);
    expect(result.findings.map((f) => [f.code, f.severity, f.step])).toEqual([
      ['drop-table', 'block', 'fill'],
      ['undo-none', 'warn', 'fill'],
    ]);
    expect(events.map((event) => event.type === 'found' && event.finding.code)).toEqual(['drop-table', 'undo-none']);
    expect(result.outputs?.['plan-id']).toMatch(/^[0-9a-f]{12}$/);
  });

  test('passes when the hazard is accepted by its name', async () => {
    const { result } = await run({ allow: 'drop-table keep-fill' });
    expect(result.outcome).toBe('passed');
    expect(result.findings.map((f) => [f.code, f.severity])).toEqual([
      ['drop-table', 'warn'],
      ['undo-none', 'warn'],
    ]);
  });

  test('lists every step with what it touches, its heaviest lock and its undo, and every file that the plan id covers', async () => {
    const { result } = await run();
    expect(result.sections?.[0]?.rows).toEqual([
      ['unused', 'production', 'retire-tables', 'retire 2 tables', 'public.old_notes, audit.old_log', 'ACCESS EXCLUSIVE', 'exact until the cleanup'],
      ['fill', 'production', 'sql', 'run fill.sql', 'any table of public, audit', 'ACCESS EXCLUSIVE', 'none: only the backup helps'],
      ['auth', 'development', 'retire-schemas', 'retire schema auth', 'schema auth', 'ACCESS EXCLUSIVE', 'exact until the cleanup'],
    ]);
    expect(result.sections?.[1]?.rows).toEqual([
      ['plan.yml', 'the plan'],
      ['fill.sql', '14 bytes'],
    ]);
  });

  test('refuses artifacts that expire less than 7 days after the retention', async () => {
    const codes = async (days: string): Promise<readonly string[]> =>
      (await run({ 'retention-days': days, allow: 'drop-table' })).result.findings.map((f) => f.code);
    expect(await codes('13')).toContain('retention-too-short');
    expect(await codes('14')).not.toContain('retention-too-short');
  });

  test('knows consents of later phases by their names', async () => {
    const { plan: read } = await readPlan({ file: 'plan.yml', root: folder({ 'plan.yml': plan, 'fill.sql': 'SELECT 1' }), kinds });
    const allow = new Set(['reverse-conflict', 'schema-changed', 'expiring-archive', 'keep-unused', 'truncate']);
    expect(judge(read, { ...parseSettings(readInputs(() => '')), allow }).map((f) => f.code)).toEqual(['undo-none']);
  });
});
