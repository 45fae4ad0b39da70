#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { inTerminal, variableOf } from './host/local.js';
import { inputNames, inputTable, type InputName } from './inputs.js';
import { run } from './run.js';

const REFUSED = 2;

/** `lossless <phase>`: one flag for each input, and three that only a terminal has. */
const program = new Command('lossless')
  .description('Carries a PostgreSQL migration plan from drift report to cleanup, and cannot lose a row.')
  .argument('<phase>', inputTable.phase.about)
  .helpOption('-h, --help', 'show this help')
  .addHelpText(
    'after',
    `
Every input is also read from the environment: --production-url from ${variableOf('production-url')}. Prefer that for secrets: other users can read your arguments.
Exit codes: 0 passed, 1 failed, 2 refused (nothing was changed), 3 aborted, 70 a bug of ours.`,
  )
  .exitOverride();

for (const name of inputNames) {
  if (name === 'phase') continue;
  const preset = name === 'store' ? './.runs' : inputTable[name].default;
  program.addOption(new Option(`--${name} <value>`, `${inputTable[name].about}${preset === '' ? '' : ` (default: ${preset})`}`));
}
program
  .addOption(
    new Option('--now <time>', 'ISO time that counts as now when retention is judged; only for loopback and socket servers').argParser((text): Date => {
      const at = new Date(text);
      if (Number.isNaN(at.getTime()) || !/^\d{4}-\d\d-\d\d/.test(text)) throw new InvalidArgumentError('expected an ISO time such as 2026-11-30T08:00:00Z');
      return at;
    }),
  )
  .option('--output-file <path>', 'append the outputs to this file as name=value lines')
  .option('--report-dir <path>', 'where the report pages go (default: the store directory)');

try {
  program.parse();
  const given = new Map(Object.entries(program.opts<Record<string, string | Date | undefined>>()));
  const flag = (name: string): string | undefined => {
    const value = given.get(name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()));
    return typeof value === 'string' ? value : undefined;
  };
  const now = given.get('now');
  await inTerminal(
    {
      phase: program.args[0] ?? '',
      flags: Object.fromEntries(
        inputNames.flatMap((name): [InputName, string][] => {
          const value = flag(name);
          return value === undefined ? [] : [[name, value]];
        }),
      ),
      now: now instanceof Date ? now : null,
      outputFile: flag('output-file') ?? null,
      reportDir: flag('report-dir') ?? null,
    },
    run,
  );
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : REFUSED;
}
