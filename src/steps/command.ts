import { z } from 'zod';
import { UserError } from '../errors.js';
import { block, warn, type Finding } from '../finding.js';
import { refusedCommands } from '../plan/commands.js';
import type { KindReading } from '../plan/plan.js';
import { accounts, addedBy, countAtOnce, rowsSchema, unknownTables, wayBack, type Counts } from './row-guard.js';
import { commandFindings, guardedCommand, quietFindings, runCommand, scriptsInPlan } from './run-command.js';
import type { Step, Watched } from './step.js';

const text = z.string().trim().min(1, 'expected a command');
const specSchema = z.strictObject({
  run: text.describe('shell text, run in the working directory with DATABASE_URL set'),
  undo: z
    .string({ error: 'say how the command is taken back: undo: <command>, or undo: none' })
    .trim()
    .min(1, 'say how the command is taken back: undo: <command>, or undo: none')
    .describe('shell text that takes it back and may run twice, or none'),
  rows: rowsSchema.optional(),
  guard: z.literal('clone-only').optional().describe('clone-only: exact row counts in the rehearsal only, because others write on the target meanwhile'),
  'url-variable': z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable')
    .optional()
    .describe('variable that the command reads the connection URL from, beside DATABASE_URL'),
});
type Spec = z.infer<typeof specSchema>;

/** A command has sessions of its own: nobody can tell afterwards how far a killed one came, so it is never run twice unasked. */
type Receipt = {
  readonly state: 'started' | 'finished';
  readonly startedAt: string;
  /** null: others were writing, the guard did not count */
  readonly before: Counts | null;
  readonly after: Counts | null;
};

/** The team's command under the row guard (DECISIONS 30). */
export const command: Step<Spec, Receipt> = {
  schema: specSchema,

  describe: (spec) => ({
    title: `run ${spec.run}`,
    touches: [],
    schemas: [],
    anything: true,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: Object.values(spec.rows ?? {}).some((rule) => rule !== 'same'),
    undo: spec.undo === 'none' ? 'none' : 'exact',
  }),

  async preflight(cx, spec) {
    const findings = [...(await commandFindings(cx, spec.run)), ...quietFindings(cx, spec.guard), ...(await unknownTables(cx, spec.rows ?? {}))];
    if (spec.undo === 'none') findings.push(cannotUndo(spec.run));
    else findings.push(...(await commandFindings(cx, spec.undo)));
    return { findings: unique(findings), done: false, counts: {} };
  },

  async apply(cx, spec, receipt) {
    if (receipt.last?.state === 'finished') return;
    if (receipt.last !== null) {
      throw new UserError(
        `step ${cx.stepId}: the command was started at ${receipt.last.startedAt} and its end is not recorded: it may have done all, part or nothing`,
        {
          hint: `It is not run again blindly. Look at the database, then roll the run back (${spec.undo === 'none' ? `with allow: keep-${cx.stepId}` : 'this runs the step’s undo'}) and migrate again.`,
        },
      );
    }
    const startedAt = cx.clock.now().toISOString();
    let before: Counts | null = null;
    const counts = await guardedCommand(
      cx,
      {
        guard: spec.guard,
        rules: spec.rows,
        started: (counted) => {
          before = counted;
          return receipt.save({ state: 'started', startedAt, before: counted, after: null });
        },
      },
      () => runCommand(cx, spec.run, spec['url-variable']),
    );
    await receipt.save({ state: 'finished', startedAt, before, after: counts?.after ?? null });
  },

  verify: (cx, spec, receipt) =>
    Promise.resolve({
      findings: [],
      checks: [
        {
          name: `${spec.run} ended well`,
          criterion: 'other',
          expected: 'finished',
          actual: receipt.state,
          verdict: receipt.state === 'finished' ? 'pass' : 'fail',
        },
        receipt.before === null || receipt.after === null
          ? {
              name: `${spec.run}: rows lost beyond the plan`,
              criterion: 'data',
              expected: '0',
              actual: 'counted in the rehearsal only',
              verdict: 'not-measured',
            }
          : {
              name: `${spec.run}: rows lost beyond the plan`,
              criterion: 'data',
              expected: '0',
              actual: `0 in ${String(receipt.before.length)} tables`,
              verdict: 'pass',
            },
      ],
      tables: receipt.before === null || receipt.after === null ? [] : accounts(cx.stepId, receipt.before, receipt.after, spec.rows ?? {}, cx.plan),
      notCompared: [
        `values that the command of step ${cx.stepId} changed: the row guard counts rows, it does not read them`,
        ...(receipt.before === null ? [`rows around the command of step ${cx.stepId}: others were writing, the guard ran on the clone only`] : []),
      ],
      rowsCompared: 0,
    }),

  canUndo: (cx, spec) =>
    Promise.resolve(
      spec.undo === 'none' && !cx.allow.has(`keep-${cx.stepId}`)
        ? [
            block('undo-none', `the command ${spec.run} cannot be undone: the plan says undo: none`, {
              hint: `Roll back with allow: keep-${cx.stepId} to keep its effect and undo the rest, or restore the backup.`,
            }),
          ]
        : [],
    ),

  async undo(cx, spec, receipt) {
    if (receipt === null) return;
    if (spec.undo === 'none' || (receipt.state === 'finished' && cx.allow.has(`keep-${cx.stepId}`))) {
      cx.report({ type: 'found', finding: warn('undo-none', `the command ${spec.run} is not undone: its effect is kept`, { step: cx.stepId }) });
      return;
    }
    const back = spec.undo;
    // A command that was killed or failed half-way added an unknown part; then only what is there now can be held.
    const mayLose =
      receipt.state === 'finished' ? addedBy(receipt.before, receipt.after) : addedBy(receipt.before, receipt.before === null ? null : await countAtOnce(cx));
    const guard = receipt.before === null ? 'clone-only' : spec.guard;
    await guardedCommand(cx, { guard, rules: wayBack(spec.rows), mayLose }, () => runCommand(cx, back, spec['url-variable']));
  },

  watch: () => Promise.resolve(nothingToTend),
  canCleanup: () => Promise.resolve([]),
  retired: () => [],
  cleanup: () => Promise.resolve(),
};

const nothingToTend: Watched = { findings: [], drained: 0, backlog: 0, blocking: [], tables: [] };

const cannotUndo = (what: string): Finding =>
  warn('undo-none', `the command ${what} cannot be undone: the plan says undo: none`, { hint: 'A rollback needs allow: keep-<step-id>, or the backup.' });

const unique = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter((f, i) => findings.findIndex((g) => g.code === f.code && g.message === f.message) === i);

export const commandReading: KindReading = {
  files: () => [],
  commands: (spec) => {
    const { run, undo } = spec as Spec;
    return undo === 'none' ? [run] : [run, undo];
  },
  check: (spec, files, at) => {
    const parsed = spec as Spec;
    const scripts = scriptsInPlan(files);
    const findings = (['run', 'undo'] as const).flatMap((key) =>
      parsed[key] === 'none' ? [] : refusedCommands(parsed[key], scripts).map((f) => ({ ...f, at: at([key]) })),
    );
    return Promise.resolve(parsed.undo === 'none' ? [...findings, { ...cannotUndo(parsed.run), at: at(['undo']) }] : unique(findings));
  },
};
