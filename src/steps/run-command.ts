import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { block, type Finding } from '../finding.js';
import { refusedCommands, scriptsOf, type Scripts } from '../plan/commands.js';
import type { PlanFiles } from '../plan/plan.js';
import { countAtOnce, judge, stopAtLoss, type addedBy, type Counts, type RowRules } from './row-guard.js';
import type { ReadContext, StepContext } from './step.js';

/** Environment of the team's command: the database under every name that programs look for, and a session name that ours can be told by. */
export const commandEnv = (cx: StepContext, variable: string | undefined): Readonly<Record<string, string>> => ({
  ...cx.db.target.env,
  PGAPPNAME: `lossless ${cx.run} ${cx.stepId}`.slice(0, 63),
  ...(variable === undefined ? {} : { [variable]: cx.db.target.url }),
});

/** Runs shell text of the plan's; its lines go to the report. Errors: CommandFailed; UserError when it generates or pushes. */
export async function runCommand(cx: StepContext, command: string, variable: string | undefined): Promise<void> {
  const refused = refusedCommands(command, await scriptsOnDisk(cx.workingDirectory)).filter((f) => f.severity === 'block');
  if (refused[0] !== undefined) throw new UserError(`step ${cx.stepId}: ${refused.map((f) => f.message).join('; ')}`, { hint: refused[0].hint ?? '' });
  await cx.exec(['/bin/sh', '-c', command], {
    env: commandEnv(cx, variable),
    cwd: cx.workingDirectory,
    signal: cx.signal,
    onLine: (line) => cx.report({ type: 'command-line', step: cx.stepId, line }),
  });
}

async function scriptsOnDisk(directory: string): Promise<Scripts | null> {
  try {
    return scriptsOf(await readFile(join(directory, 'package.json'), 'utf8'));
  } catch {
    return null;
  }
}

/** The nearest package.json among the plan's files, else the one of the working directory, else unknown. */
export async function commandFindings(cx: ReadContext, command: string): Promise<readonly Finding[]> {
  const known = scriptsInPlan(cx.files) ?? (cx.workingDirectory === undefined ? null : await scriptsOnDisk(cx.workingDirectory));
  return refusedCommands(command, known);
}

export function scriptsInPlan(files: PlanFiles): Scripts | null {
  const file = files.names.filter((name) => name === 'package.json' || name.endsWith('/package.json')).sort((a, b) => a.length - b.length)[0];
  return file === undefined ? null : scriptsOf(files.text(file));
}

/** Without maintenance nobody is alone with a target, and the guard's counts would mix the command's rows with the application's. */
export const quietFindings = (cx: ReadContext, guard: 'clone-only' | undefined): readonly Finding[] =>
  cx.plan.maintenance === null && guard === undefined
    ? [
        block('guard-needs-quiet', 'the plan has no maintenance, so the row guard cannot be exact on the target', {
          hint: 'Give the plan `maintenance: { on, off }`, or say `guard: clone-only` to accept that only the rehearsal proves the counts.',
        }),
      ]
    : [];

/**
 * Runs the command while, if possible, nobody else writes, between exact counts. `started` is saved before it. Errors: UserError when
 * others may be writing and the plan does not say clone-only, or when rows are missing (the step is then undone by its undo).
 */
export async function guardedCommand(
  cx: StepContext,
  options: {
    readonly guard: 'clone-only' | undefined;
    readonly rules: RowRules | undefined;
    readonly mayLose?: ReturnType<typeof addedBy>;
    readonly started?: (before: Counts | null) => Promise<void>;
  },
  work: () => Promise<void>,
): Promise<{ readonly before: Counts; readonly after: Counts } | null> {
  return cx.quiet(async (exclusive) => {
    if (!exclusive && options.guard !== 'clone-only') {
      throw new UserError(`step ${cx.stepId}: others may be writing, so the row guard cannot be exact`, {
        hint: 'Give the plan `maintenance: { on, off }`, or say `guard: clone-only` in the step to accept that only the rehearsal proves the counts. Nothing was run.',
      });
    }
    const before = exclusive ? await countAtOnce(cx) : null;
    await options.started?.(before);
    await work();
    if (before === null) {
      cx.report({ type: 'said', text: `step ${cx.stepId}: the row guard ran on the clone only; here others were writing` });
      return null;
    }
    const after = await countAtOnce(cx);
    stopAtLoss(cx, judge(before, after, options.rules ?? {}, cx.plan, options.mayLose), false);
    return { before, after };
  }, options.guard);
}
