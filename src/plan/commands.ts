import { block, warn, type Finding } from '../finding.js';

/** package.json as far as commands need it. */
export type Scripts = Readonly<Record<string, string | undefined>>;

/** Scripts of a package.json's text; null when it is not JSON with text scripts. */
export function scriptsOf(packageJson: string): Scripts | null {
  try {
    const { scripts } = JSON.parse(packageJson) as { scripts?: Record<string, unknown> };
    return Object.fromEntries(Object.entries(scripts ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return null;
  }
}

/** Simple commands of a shell text, each as its words; quotes taken off. Good for recognising a program, not for running one. */
export function words(text: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const [token] of text.replace(/\\\n/g, ' ').matchAll(/&&|\|\||[;|&\n()]|(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s;|&()"'])+/g)) {
    if (/^(&&|\|\||[;|&\n()])$/.test(token)) commands.push([]);
    else commands.at(-1)?.push(token.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_all, double?: string, single?: string) => double ?? single ?? ''));
  }
  return commands.filter((command) => command.length > 0);
}

const runners = new Set(['npx', 'bunx', 'pnpx', 'exec', 'dlx', 'x', 'env', 'dotenv', 'dotenvx', 'cross-env', 'time', 'sudo', 'node', 'tsx', '--']);
const managers = new Set(['npm', 'pnpm', 'yarn', 'bun']);

/** npm scripts that the text runs, directly or through others, in order. */
export function scriptsRun(text: string): readonly string[] {
  return words(text).flatMap((command) => {
    const at = command.findIndex((word) => managers.has(base(word)));
    if (at < 0) return [];
    const rest = command.slice(at + 1).filter((word) => !word.startsWith('-'));
    const run = rest.findIndex((word) => word === 'run' || word === 'run-script');
    if (run >= 0) return rest.slice(run + 1, run + 2);
    const manager = base(command[at] ?? '');
    if (manager === 'npm') return ['test', 'start', 'stop', 'restart'].includes(rest[0] ?? '') ? rest.slice(0, 1) : [];
    return rest.slice(0, 1).filter((word) => !['exec', 'dlx', 'x', 'install', 'add'].includes(word));
  });
}

const base = (word: string): string => word.replace(/^.*\//, '').replace(/\.(c|m)?js$/, '');

/** What the text runs that rewrites migration files or pushes a schema past them; null when nothing is seen. */
function forbidden(text: string): string | null {
  for (const command of words(text)) {
    const bare = command.filter(
      (word, i) => !word.startsWith('-') && !(/^\w+=/.test(word) && command.slice(0, i).every((w) => /^\w+=/.test(w) || runners.has(base(w)))),
    );
    const shell = bare.findIndex((word) => ['sh', 'bash', 'zsh', 'dash'].includes(base(word)));
    if (shell >= 0) {
      const nested = bare
        .slice(shell + 1)
        .map(forbidden)
        .find((found) => found !== null);
      if (nested !== undefined) return nested;
    }
    const kit = bare.findIndex((word) => /(^|\/)drizzle-kit(@[^/]*)?(\/|$)/.test(word));
    const verb = kit < 0 ? undefined : bare.slice(kit + 1).find((word) => /^(push|generate|drop|up)(:\w+)?$/.test(word));
    if (verb !== undefined) return `drizzle-kit ${verb}`;
    const prisma = bare.findIndex((word) => /(^|\/)prisma(@[^/]*)?$/.test(word));
    const two = prisma >= 0 ? bare.slice(prisma + 1, prisma + 3).join(' ') : '';
    if (['db push', 'migrate dev', 'migrate reset'].includes(two)) return `prisma ${two}`;
  }
  return null;
}

/**
 * Refuses `generate`, `push` and the like, in the text and in every npm script that it runs (with pre and post scripts, and the scripts
 * they run). `scripts` null: no package.json is known; then the scripts' names are judged, and the rest is said not to be known.
 */
export function refusedCommands(text: string, scripts: Scripts | null): readonly Finding[] {
  const findings: Finding[] = [];
  const looked = new Set<string>();
  const look = (command: string, through: readonly string[]): void => {
    const path = through.length === 0 ? '' : ` (through ${through.join(' → ')})`;
    const found = forbidden(command);
    if (found !== null) {
      findings.push(
        block('command-generates', `the command runs ${found}${path}, which changes the schema or its files behind the plan`, {
          hint: 'Generate migrations beforehand, commit and review them, and run only `migrate` here.',
        }),
      );
    }
    for (const name of scriptsRun(command)) {
      if (looked.has(name)) continue;
      looked.add(name);
      const script = scripts?.[name];
      if (scripts === null || script === undefined) {
        if (/(^|[:\-_.])(push|generate|reset)($|[:\-_.])/.test(name))
          findings.push(
            block('command-generates', `the command runs the script ${name}${path}, whose name says that it pushes, generates or resets`, {
              hint: 'Run the script that only migrates.',
            }),
          );
        else if (scripts === null)
          findings.push(
            warn('command-script-missing', `the script ${name} could not be looked into: no package.json is known here`, {
              object: name,
              hint: 'Name the file in the plan’s repository; it is looked for again in the working directory before the command runs.',
            }),
          );
        else if (/\b(npm|run)\b/.test(command))
          findings.push(
            block('command-script-missing', `package.json has no script ${name}${path}`, {
              object: name,
              hint: `Scripts there: ${Object.keys(scripts).join(', ') || 'none'}.`,
            }),
          );
        continue;
      }
      for (const step of [`pre${name}`, name, `post${name}`]) if (scripts[step] !== undefined) look(scripts[step], [...through, step]);
    }
  };
  look(text, []);
  return findings;
}
